// SGD, Adam and AdamW by PyTorch's formulas. Operations and their order are those of the CPU engine
// (native/src/optimizer.cpp, native/src/cpu/isa/update.h), so that one gradient gives the same bits on both.
#include "optimizer.h"

#include <cmath>

#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

// The numbers of one step; the CPU engine's rs::cpu::Update.
struct Update {
  float lr, weight_decay, momentum;
  bool nesterov, first_step;
  float beta1_complement, beta2, beta2_complement, epsilon;
  float step_size;        // lr / (1 - beta1^t)
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float decay;            // 1 - lr * weight_decay
};

template <rs_optimizer_kind kKind>
__device__ Update next_update(const StepState& state) {
  const rs_optimizer& s = state.settings;
  Update u = {};
  u.lr = static_cast<float>(s.lr);
  u.weight_decay = static_cast<float>(s.weight_decay);
  u.first_step = state.steps == 0;
  if (kKind == RS_SGD) {
    u.momentum = static_cast<float>(s.momentum);
    u.nesterov = s.nesterov != 0;
  } else {
    u.beta1_complement = static_cast<float>(1 - s.beta1);
    u.beta2 = static_cast<float>(s.beta2);
    u.beta2_complement = static_cast<float>(1 - s.beta2);
    u.epsilon = static_cast<float>(s.eps);
    u.step_size = static_cast<float>(s.lr / (1 - state.beta1_power * s.beta1));
    u.root_correction = static_cast<float>(1 / sqrt(1 - state.beta2_power * s.beta2));
    u.decay = static_cast<float>(1 - s.lr * s.weight_decay);
  }
  return u;
}

// torch.optim.SGD
__device__ float sgd(const Update& u, int64_t i, float g, float p, float* m) {
  g = fmaf(u.weight_decay, p, g);
  if (u.momentum != 0) {
    const float buffer = u.first_step ? g : fmaf(u.momentum, m[i], g);
    m[i] = buffer;
    g = u.nesterov ? fmaf(u.momentum, buffer, g) : buffer;
  }
  return fmaf(-u.lr, g, p);
}

// torch.optim.Adam and AdamW
template <bool kDecoupled>
__device__ float adam(const Update& u, int64_t i, float g, float p, float* m, float* v) {
  if (!kDecoupled) g = fmaf(u.weight_decay, p, g);
  const float mean = fmaf(g - m[i], u.beta1_complement, m[i]);
  const float square = fmaf(g * g, u.beta2_complement, v[i] * u.beta2);
  m[i] = mean;
  v[i] = square;
  const float denominator = fmaf(sqrtf(square), u.root_correction, u.epsilon);
  return fmaf(-u.step_size, mean / denominator, kDecoupled ? p * u.decay : p);
}

// Ends the step. Only the last block of threads to come here changes the state: all others have read it.
__device__ void advance(float loss, bool apply, StepState* state) {
  __threadfence();
  if (atomicInc(&state->arrived, gridDim.x - 1) != gridDim.x - 1) return;
  if (state->failed) return;
  state->last_loss = loss;
  if (!apply) {
    state->failed = 1;
    return;
  }
  state->beta1_power *= state->settings.beta1;
  state->beta2_power *= state->settings.beta2;
  state->steps += 1;
  state->loss_sum += loss;
}

template <rs_optimizer_kind kKind>
__global__ void __launch_bounds__(kThreads)
    optimizer_kernel(float gradient_scale,
                     const float* __restrict__ gradient,  // [parameter_count + 1]
                     int64_t parameter_count,
                     float* __restrict__ parameters,      // [parameter_count]
                     float* __restrict__ m,               // [parameter_count], or null
                     float* __restrict__ v,               // [parameter_count], or null
                     StepState* __restrict__ state) {
  __shared__ Update update;
  __shared__ bool apply;
  const float loss = gradient[parameter_count];
  if (threadIdx.x == 0) {
    apply = !state->failed && isfinite(loss);
    update = next_update<kKind>(*state);
  }
  __syncthreads();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (apply && i < parameter_count) {
    const float g = gradient[i] * gradient_scale, p = parameters[i];
    parameters[i] = kKind == RS_SGD ? sgd(update, i, g, p, m) : adam<kKind == RS_ADAMW>(update, i, g, p, m, v);
  }
  if (threadIdx.x == 0) advance(loss, apply, state);
}

template <rs_optimizer_kind kKind>
void launch(float gradient_scale, const float* gradient, int64_t parameter_count, float* parameters, float* m, float* v,
            StepState* state, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((parameter_count + kThreads - 1) / kThreads));
  simt::launch(optimizer_kernel<kKind>, grid, dim3(kThreads), 0, stream, gradient_scale, gradient, parameter_count,
               parameters, m, v, state);
}

}  // namespace

void optimizer_step(rs_optimizer_kind kind, float gradient_scale, const float* gradient, int64_t parameter_count,
                    float* parameters, float* m, float* v, StepState* state, cudaStream_t stream) {
  switch (kind) {
    case RS_SGD: return launch<RS_SGD>(gradient_scale, gradient, parameter_count, parameters, m, v, state, stream);
    case RS_ADAM: return launch<RS_ADAM>(gradient_scale, gradient, parameter_count, parameters, m, v, state, stream);
    case RS_ADAMW: return launch<RS_ADAMW>(gradient_scale, gradient, parameter_count, parameters, m, v, state, stream);
  }
}

}  // namespace rs::gpu
