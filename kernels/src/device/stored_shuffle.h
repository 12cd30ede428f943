// A model's Shuffle in shared memory: made on the device at each epoch, read when rows are looked up, and in nobody's
// registers while steps are taken.
#pragma once

#include "shuffle.h"
#include "simt.h"

namespace rs::gpu {

struct StoredShuffle {
  uint32_t keys[Shuffle::kRounds];
  int bits;

  // By 8 lanes, lane = 0 ... 7: each makes one key.
  __device__ __forceinline__ void make(uint64_t seed, int64_t epoch, int64_t rows, int lane) {
    static_assert(Shuffle::kRounds == 8, "one for each lane");
    const uint64_t stream = kShuffleStream + static_cast<uint64_t>(lane / 4);
    const PhiloxWords words = philox(seed, stream, static_cast<uint64_t>(epoch));
    const uint32_t low = lane % 2 == 0 ? words[0] : words[1], high = lane % 2 == 0 ? words[2] : words[3];
    keys[lane] = lane % 4 < 2 ? low : high;
    if (lane > 0) return;
    bits = 2;
    while (bits < 62 && (int64_t{1} << bits) < rows) ++bits;
  }

  __device__ __forceinline__ Shuffle get(int64_t rows) const {
    Shuffle shuffle;
    shuffle.rows = static_cast<uint64_t>(rows);
    shuffle.left_bits = bits / 2;
    shuffle.right_bits = bits - bits / 2;
#pragma unroll
    for (int k = 0; k < Shuffle::kRounds; ++k) shuffle.keys[k] = keys[k];
    return shuffle;
  }
};

}  // namespace rs::gpu
