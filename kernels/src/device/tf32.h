// TF32 on tensor cores, from compute capability 8.0 on: float32 with 10 bits of mantissa, accumulated in
// float32.
#pragma once

#include <cstdint>

#include "simt.h"

namespace rs::gpu {

// `x` rounded to TF32, ties to even; NaN stays NaN.
__device__ __forceinline__ uint32_t to_tf32(float x) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 900
  uint32_t bits;
  asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#else
  const uint32_t bits = __float_as_uint(x);
  if (x != x) return bits | 0x400000;
  return (bits + 0xFFF + (bits >> 13 & 1)) & ~uint32_t{0x1FFF};
#endif
}

// d += a b with a [16, 8], b [8, 8], d [16, 8], by all lanes of a warp. With g = lane / 4 and t = lane % 4
// a lane holds
//   a: [g][t], [g + 8][t], [g][t + 4], [g + 8][t + 4]
//   b: [t][g], [t + 4][g]
//   d: [g][2t], [g][2t + 1], [g + 8][2t], [g + 8][2t + 1]
// The CPU rounds each element of d once; tensor cores may round the steps of a sum.
__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if !defined(__CUDACC__)
  const uint32_t own[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  uint32_t all[6][simt::kWarp];
  for (int i = 0; i < 6; ++i) simt::gather(own[i], all[i], {__FILE__, __LINE__});
  const unsigned g = simt::lane() / 4, t = simt::lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned lower = i / 2, column = 2 * t + i % 2;  // row g or g + 8
    double sum = d[i];
    for (unsigned k = 0; k < 8; ++k) {
      const float x = __uint_as_float(all[k / 4 * 2 + lower][4 * g + k % 4]);
      const float y = __uint_as_float(all[4 + k / 4][4 * column + k % 4]);
      sum += static_cast<double>(x) * y;
    }
    d[i] = static_cast<float>(sum);
  }
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();  // no launcher calls it there
#endif
}

// d = a b: no registers need to be cleared for it.
__device__ __forceinline__ void mma_tf32_from_zero(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%10, %10, %10, %10};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.0f));
#else
  d[0] = d[1] = d[2] = d[3] = 0;
  mma_tf32(d, a, b);
#endif
}

}  // namespace rs::gpu
