// One step of SGD, Adam or AdamW by PyTorch's formulas. Operations and their order are those of the CPU engine
// (native/src/optimizer.cpp, native/src/cpu/isa/update.h), so that one gradient gives the same bits on both.
#pragma once

#include <cmath>

#include "optimizer.h"
#include "simt.h"

namespace rs::gpu {

// The numbers of one step; the CPU engine's rs::cpu::Update.
struct Update {
  float lr, weight_decay, momentum;
  bool nesterov, first_step;
  float beta1_complement, beta2, beta2_complement, epsilon;
  float step_size;        // lr / (1 - beta1^t)
  float root_correction;  // 1 / sqrt(1 - beta2^t)
  float decay;            // 1 - lr * weight_decay
};

// Of the next step from there.
template <rs_optimizer_kind kKind>
__device__ Update next_update(const OptimizerState& optimizer, const Progress& from) {
  const rs_optimizer& s = optimizer.settings;
  const double lr = optimizer.lr(from);
  Update u = {};
  u.lr = static_cast<float>(lr);
  u.weight_decay = static_cast<float>(s.weight_decay);
  u.first_step = from.steps == 0;
  if (kKind == RS_SGD) {
    u.momentum = static_cast<float>(s.momentum);
    u.nesterov = s.nesterov != 0;
  } else {
    u.beta1_complement = static_cast<float>(1 - s.beta1);
    u.beta2 = static_cast<float>(s.beta2);
    u.beta2_complement = static_cast<float>(1 - s.beta2);
    u.epsilon = static_cast<float>(s.eps);
    u.step_size = static_cast<float>(lr / (1 - from.beta1_power * s.beta1));
    u.root_correction = static_cast<float>(1 / sqrt(1 - from.beta2_power * s.beta2));
    u.decay = static_cast<float>(1 - lr * s.weight_decay);
  }
  return u;
}

// Past one more step.
__device__ inline void advance(const rs_optimizer& settings, Progress& progress) {
  progress.beta1_power *= settings.beta1;
  progress.beta2_power *= settings.beta2;
  progress.steps += 1;
  progress.fit_steps += 1;
}

// torch.optim.SGD
__device__ inline float sgd(const Update& u, int64_t i, float g, float p, float* m) {
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

// Whether the calling thread's block is the last to come here, one thread of each: all others have read the state.
__device__ inline bool is_last_block(StepState* state) {
  __threadfence();
  return atomicInc(&state->arrived, gridDim.x - 1) == gridDim.x - 1;
}

// Ends the step. Only the last block of threads changes the state.
__device__ inline void advance(float loss, bool apply, StepState* state) {
  if (!is_last_block(state)) return;
  if (state->failed) return;
  state->last_loss = loss;
  if (!apply) {
    state->failed = 1;
    return;
  }
  advance(state->settings, *state);
  state->loss_sum += loss;
}

}  // namespace rs::gpu
