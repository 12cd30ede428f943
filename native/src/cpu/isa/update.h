// The optimizers' updates, by PyTorch's formulas.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// torch.optim.SGD
RS_INLINE f16 sgd(const Update& u, const f16& gradient, const f16& p, float* m) {
  f16 g = fma(set1(u.weight_decay), p, gradient);
  if (u.momentum != 0) {
    const f16 buffer = u.first_step ? g : fma(set1(u.momentum), load(m), g);
    store(m, buffer);
    g = u.nesterov ? fma(set1(u.momentum), buffer, g) : buffer;
  }
  return fma(set1(-u.lr), g, p);
}

// torch.optim.Adam and AdamW
RS_INLINE f16 adam(const Update& u, const f16& gradient, const f16& p, float* m, float* v) {
  const bool decoupled = u.kind == RS_ADAMW;
  const f16 g = decoupled ? gradient : fma(set1(u.weight_decay), p, gradient);
  const f16 mean = load(m);
  const f16 new_mean = fma(g - mean, set1(u.beta1_complement), mean);
  const f16 square = fma(g * g, set1(u.beta2_complement), load(v) * set1(u.beta2));
  store(m, new_mean);
  store(v, square);
  const f16 denominator = fma(sqrt(square), set1(u.root_correction), set1(u.epsilon));
  const f16 start = decoupled ? p * set1(u.decay) : p;
  return fma(set1(-u.step_size), new_mean / denominator, start);
}

// Parameters, gradient and state are padded to whole vectors.
inline void update(const Update& u, int64_t begin, int64_t end, const float* gradient, float* parameters, float* m, float* v) {
  const f16 scale = set1(u.gradient_scale);
  for (int64_t i = begin; i < end; i += kLanes) {
    const f16 g = load(gradient + i) * scale, p = load(parameters + i);
    store(parameters + i, u.kind == RS_SGD ? sgd(u, g, p, m + i) : adam(u, g, p, m + i, v + i));
  }
}

}  // namespace rs::cpu::RS_ISA
