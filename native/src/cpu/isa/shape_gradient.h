// From the gradient's sum to what the optimizer sees: the mean, plus the L1 penalty's derivative, bounded.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// l1 * sign(p), 0 at 0
RS_INLINE vec l1_part(vec l1, vec p) { return p > vec{} ? l1 : (p < vec{} ? -l1 : vec{}); }

// NaN stays, as in torch.clamp
RS_INLINE vec clip_part(vec g, vec most) { return g > most ? most : (g < -most ? -most : g); }

// Parameters and gradient are padded with 0 to whole vectors. The squares are exact in double and have one order of
// additions on every instruction set.
inline double shape_gradient(
    const GradientShape& shape, int64_t begin, int64_t end, const float* parameters, float* gradient) {
  double lanes[kLanes] = {};
  const f16 scale = set1(shape.scale);
  const vec l1 = set1_part(shape.l1), most = set1_part(shape.clip_value);
  for (int64_t i = begin; i < end; i += kLanes) {
    f16 g = load(gradient + i) * scale;
    const f16 p = load(parameters + i);
    for (int k = 0; k < kParts; ++k) g.part[k] = clip_part(g.part[k] + l1_part(l1, p.part[k]), most);
    store(gradient + i, g);
    for (int k = 0; k < kLanes; ++k) {
      const double value = gradient[i + k];
      lanes[k] += value * value;
    }
  }
  double sum = 0;
  for (int k = 0; k < kLanes; ++k) sum += lanes[k];
  return sum;
}

}  // namespace rs::cpu::RS_ISA
