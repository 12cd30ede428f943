// Sums of block gradients, exact, so that they do not depend on who computed which block.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

typedef double dvec __attribute__((vector_size(64 / kParts)));  // half as many lanes as vec
typedef int64_t lvec __attribute__((vector_size(64 / kParts)));
constexpr int kHalfLanes = kPartLanes / 2;

RS_INLINE dvec load_doubles(const float* p) {
  typedef float half __attribute__((vector_size(32 / kParts), aligned(4), may_alias));
  return __builtin_convertvector(*reinterpret_cast<const half*>(p), dvec);
}

RS_INLINE bool all_set(lvec lanes) {
#if defined(__AVX512F__)
  return _mm512_movepi64_mask((__m512i)lanes) == 0xFF;
#elif defined(__AVX2__)
  return _mm256_movemask_pd((__m256d)lanes) == 0xF;
#else
  return _mm_movemask_pd((__m128d)lanes) == 0x3;
#endif
}

RS_INLINE void store_floats(float* p, dvec values) {
  typedef float half __attribute__((vector_size(32 / kParts), aligned(4), may_alias));
  *reinterpret_cast<half*>(p) = __builtin_convertvector(values, half);
}

// The sum is kept in double with the error of each addition found by Knuth's TwoSum. Block sums of
// one parameter seldom spread over more than double's 53 bits: then every error is 0 and the double
// is the exact sum. Where one is not, the value is summed again in fixed point.
inline void add_blocks(const float* gradients, int64_t stride, int64_t blocks, int64_t begin, int64_t end, float* sum) {
  for (int64_t i = begin; i < end; i += kHalfLanes) {
    dvec total = {};
    lvec exact = total == total;  // all bits set in lanes without an error
    for (int64_t b = 0; b < blocks; ++b) {
      const dvec value = load_doubles(gradients + b * stride + i);
      const dvec next = total + value;
      const dvec added = next - total;
      const dvec error = (total - (next - added)) + (value - added);
      exact &= error == dvec{};
      total = next;
    }
    if (all_set(exact)) {
      store_floats(sum + i, total);
      continue;
    }
    for (int k = 0; k < kHalfLanes; ++k) {
      sum[i + k] = exact[k] ? static_cast<float>(total[k]) : exact_sum_of(gradients + i + k, stride, blocks);
    }
  }
}

}  // namespace rs::cpu::RS_ISA
