// Sums of block gradients, exact, so that they do not depend on who computed which block.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// The sum is kept in double with the error of each addition found by Knuth's TwoSum. Block sums of
// one parameter seldom spread over more than double's 53 bits: then every error is 0 and the double
// is the exact sum. Where one is not, the value is summed again in fixed point.
inline void add_blocks(const float* gradients, int64_t stride, int64_t blocks, int64_t begin, int64_t end, float* sum) {
  for (int64_t i = begin; i < end; i += kLanes) {
    double total[kLanes] = {}, error[kLanes] = {};
    for (int64_t b = 0; b < blocks; ++b) {
      const float* values = gradients + b * stride + i;
      for (int k = 0; k < kLanes; ++k) {
        const double value = values[k];
        const double next = total[k] + value;
        const double added = next - total[k];
        error[k] += __builtin_fabs((total[k] - (next - added)) + (value - added));
        total[k] = next;
      }
    }
    for (int k = 0; k < kLanes; ++k) {
      sum[i + k] = error[k] == 0 ? static_cast<float>(total[k]) : exact_sum_of(gradients + i + k, stride, blocks);
    }
  }
}

}  // namespace rs::cpu::RS_ISA
