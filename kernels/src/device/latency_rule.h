// What the steps of latency_steps do with a gradient: update.h's operations in its order, so that a step has the bits of
// the gradient followed by the optimizer.
//
//   kMoments                        numbers that a parameter has besides its value, 0 to 2
//   apply(happens, g, p, moments, k)  the parameter p and its moments, moments.at(0, k) and at(1, k), after a step with
//                                   the gradient g; as they were where it does not happen
//   in_memory(state)                whether the moments are where the host can see them; else all start as kFresh
#pragma once

#include "device/multiply_add_if.h"
#include "device/update.h"
#include "fused_network.h"
#include "simt.h"

namespace rs::gpu {

template <LatencyRule kRule>
struct Rule;

template <>
struct Rule<LatencyRule::kPlain> {
  static constexpr int kMoments = 0;
  static constexpr bool kHasNumbers = false;

  float descent;

  Rule() = default;
  __device__ __forceinline__ explicit Rule(const LatencyModel& model) : descent(-model.lr) {}

  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments&, int) const {
    multiply_add_if(happens, descent, g, p);
  }
};

// Two things need no branch. An empty buffer is -0: what is added to that stays as it is, a zero's sign included, as on
// the first step. And without momentum the buffer stays empty, and the way of Nesterov's leads past it to the gradient.
template <>
struct Rule<LatencyRule::kSgd> {
  static constexpr int kMoments = 1;
  static constexpr bool kHasNumbers = false;
  static constexpr float kFresh = -0.0f;

  float descent, weight_decay, momentum;
  bool keeps, looks_ahead;

  Rule() = default;
  __device__ __forceinline__ explicit Rule(const LatencyModel& model) {
    const Update u = next_update<RS_SGD>(model.optimizer);
    descent = -u.lr;
    weight_decay = u.weight_decay;
    momentum = u.momentum;
    keeps = momentum != 0;
    looks_ahead = u.nesterov || !keeps;
  }

  __device__ __forceinline__ static bool in_memory(const OptimizerState& state) {
    return static_cast<float>(state.settings.momentum) != 0 && state.steps > 0;
  }

  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments& moments, int k) const {
    g = fmaf(weight_decay, p, g);
    float buffer = moments.at(0, k);
    assign_fma_if(happens && keeps, momentum, buffer, g, buffer);
    moments.at(0, k) = buffer;
    multiply_add_if(happens, descent, looks_ahead ? fmaf(momentum, buffer, g) : buffer, p);
  }
};

// Of Adam's numbers those that change from step to step.
struct StepNumbers {
  float step_size, root_correction;
};

template <>
struct Rule<LatencyRule::kAdam> {
  static constexpr int kMoments = 2;
  static constexpr bool kHasNumbers = true;
  static constexpr float kFresh = 0;

  bool decoupled;
  float weight_decay, decay, beta1_complement, beta2, beta2_complement, epsilon;
  StepNumbers numbers;

  Rule() = default;
  __device__ __forceinline__ explicit Rule(const LatencyModel& model) : numbers() {
    const Update u = next_update<RS_ADAM>(model.optimizer);
    decoupled = model.optimizer.settings.kind == RS_ADAMW;
    weight_decay = u.weight_decay;
    decay = decoupled ? u.decay : 1.0f;
    beta1_complement = u.beta1_complement;
    beta2 = u.beta2;
    beta2_complement = u.beta2_complement;
    epsilon = u.epsilon;
  }

  // Of the step after the state's.
  __device__ __forceinline__ static StepNumbers numbers_of(const OptimizerState& state) {
    const Update u = next_update<RS_ADAM>(state);
    return {u.step_size, u.root_correction};
  }

  __device__ __forceinline__ static bool in_memory(const OptimizerState& state) { return state.steps > 0; }

  // A branch costs little beside a division and a root for each parameter.
  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments& moments, int k) const {
    if (!happens) return;
    float &m = moments.at(0, k), &v = moments.at(1, k);
    if (!decoupled) g = fmaf(weight_decay, p, g);
    m = fmaf(g - m, beta1_complement, m);
    v = fmaf(g * g, beta2_complement, v * beta2);
    const float denominator = fmaf(sqrtf(v), numbers.root_correction, epsilon);
    p = fmaf(-numbers.step_size, m / denominator, p * decay);
  }
};

}  // namespace rs::gpu
