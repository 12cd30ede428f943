// The optimizers.
#include "optimizer.h"

#include "device/update.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

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
    update = next_update<kKind>(*state, *state);
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
