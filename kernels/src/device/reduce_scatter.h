// Sums over the lanes of a warp, where each lane has a list of values and afterwards only needs a part of the sums.
#pragma once

#include "simt.h"

namespace rs::gpu {

// Adds up the lists of the lanes that differ in the bits from kLeast to 16 of their number. With n such lanes a
// lane is left with kCount / n sums, in values[0] and on, which are those of the list from the returned index on.
//
// Each round halves the lists: a lane keeps one half, gives the other to its partner, and gets the partner's. That
// takes kCount (1/2 + 1/4 + ...) shuffles, where a butterfly takes kCount in every round to give all to all.
template <int kLeast, int kCount, int kApart = 16>
__device__ __forceinline__ int reduce_scatter(float (&values)[kCount], int lane) {
  static_assert(kCount % (kLeast < 32 ? 32 / kLeast : 1) == 0, "halves must be whole");
  if constexpr (kApart < kLeast) {
    return 0;
  } else {
    constexpr int kHalf = kCount / (32 / kApart);
    const bool upper = (lane & kApart) != 0;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const float keep = upper ? values[kHalf + i] : values[i], give = upper ? values[i] : values[kHalf + i];
      values[i] = keep + __shfl_xor_sync(0xFFFFFFFF, give, kApart);
    }
    return (upper ? kHalf : 0) + reduce_scatter<kLeast, kCount, kApart / 2>(values, lane);
  }
}

}  // namespace rs::gpu
