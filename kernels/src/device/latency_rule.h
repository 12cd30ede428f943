// What the steps of latency_steps do with a gradient: update.h's operations in its order, so that a step has the bits of
// the gradient followed by the optimizer. A rule has
//
//   kMoments                          numbers that a parameter has besides its value, 0 to 2
//   dispatch(f)                       f(the optimizer's own rule), outside of all loops
// and the optimizer's own
//   apply(happens, g, p, moments, k)  the parameter p and its moments, moments.at(0, k) and at(1, k), after a step with
//                                     the gradient g; as they were where it does not happen
#pragma once

#include "device/multiply_add_if.h"
#include "device/update.h"
#include "fused_network.h"
#include "simt.h"

namespace rs::gpu {

struct PlainRule {
  static constexpr int kMoments = 0;

  float descent;

  PlainRule() = default;
  __device__ __forceinline__ explicit PlainRule(const LatencyModel& model) : descent(-model.lr) {}

  template <typename F>
  __device__ __forceinline__ void dispatch(F f) const {
    f(*this);
  }

  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments&, int) const {
    multiply_add_if(happens, descent, g, p);
  }
};

// What changes from step to step.
struct StepNumbers {
  float descent;  // what the direction is multiplied with
  float decay;    // what the parameter is multiplied with first
  float root_correction;
};

// Two things need no branch. An empty buffer is -0: what is added to that stays as it is, a zero's sign included, as on
// the first step. And without momentum the buffer stays empty, and the way of Nesterov's leads past it to the gradient.
struct SgdRule {
  float weight_decay, momentum, descent;
  bool keeps, looks_ahead;

  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments& moments, int k) const {
    g = fmaf(weight_decay, p, g);
    float buffer = moments.at(0, k);
    assign_fma_if(happens && keeps, momentum, buffer, g, buffer);
    moments.at(0, k) = buffer;
    multiply_add_if(happens, descent, looks_ahead ? fmaf(momentum, buffer, g) : buffer, p);
  }
};

struct AdamRule {
  bool decoupled;
  float weight_decay, beta1_complement, beta2, beta2_complement, epsilon;
  StepNumbers numbers;

  // A branch costs little beside a division and a root for each parameter.
  template <typename Moments>
  __device__ __forceinline__ void apply(bool happens, float g, float& p, Moments& moments, int k) const {
    if (!happens) return;
    float &m = moments.at(0, k), &v = moments.at(1, k);
    if (!decoupled) g = fmaf(weight_decay, p, g);
    m = fmaf(g - m, beta1_complement, m);
    v = fmaf(g * g, beta2_complement, v * beta2);
    const float denominator = fmaf(sqrtf(v), numbers.root_correction, epsilon);
    p = fmaf(numbers.descent, m / denominator, p * numbers.decay);
  }
};

// Any optimizer, with any schedule. One kernel for all: the optimizers' own part of it is small.
struct AnyRule {
  static constexpr int kMoments = 2;

  bool is_sgd;
  SgdRule sgd;
  AdamRule adam;

  AnyRule() = default;
  __device__ __forceinline__ explicit AnyRule(const LatencyModel& model) {
    const OptimizerState& optimizer = model.optimizer;
    is_sgd = optimizer.settings.kind == RS_SGD;
    const Update s = next_update<RS_SGD>(optimizer, optimizer), a = next_update<RS_ADAM>(optimizer, optimizer);
    const bool keeps = s.momentum != 0;
    sgd = {s.weight_decay, s.momentum, 0, keeps, s.nesterov || !keeps};
    adam = {optimizer.settings.kind == RS_ADAMW, a.weight_decay, a.beta1_complement, a.beta2, a.beta2_complement, a.epsilon, {}};
  }

  // Of the next step from there.
  __device__ __forceinline__ static StepNumbers numbers_of(const OptimizerState& optimizer, const Progress& from) {
    const Update u = next_update<RS_ADAM>(optimizer, from);
    if (optimizer.settings.kind == RS_SGD) return {-u.lr, 1, 0};
    return {-u.step_size, optimizer.settings.kind == RS_ADAMW ? u.decay : 1.0f, u.root_correction};
  }

  __device__ __forceinline__ void take(const StepNumbers& numbers) {
    sgd.descent = numbers.descent;
    adam.numbers = numbers;
  }

  template <typename F>
  __device__ __forceinline__ void dispatch(F f) const {
    if (is_sgd) {
      f(sgd);
    } else {
      f(adam);
    }
  }

  // Where the host has a moment of the optimizer's, of all models' parameters; null where there is none yet, or none at
  // all: then it starts as `fresh`.
  __device__ __forceinline__ static float* memory(const LatencySteps& task, const OptimizerState& optimizer, int moment) {
    const bool sgd = optimizer.settings.kind == RS_SGD;
    const bool has = !sgd || (moment == 0 && static_cast<float>(optimizer.settings.momentum) != 0);
    if (!has || optimizer.steps == 0) return nullptr;
    return moment == 0 ? task.m : task.v;
  }
  __device__ __forceinline__ static float fresh(const OptimizerState& optimizer) {
    return optimizer.settings.kind == RS_SGD ? -0.0f : 0.0f;
  }
};

template <LatencyRule kRule>
struct RuleOf;
template <>
struct RuleOf<LatencyRule::kPlain> {
  using type = PlainRule;
};
template <>
struct RuleOf<LatencyRule::kAny> {
  using type = AnyRule;
};

}  // namespace rs::gpu
