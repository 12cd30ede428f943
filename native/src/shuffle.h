// The order of the rows in a shuffled epoch: a bijection of [0, rows) that gives any element without
// the others, so every thread and device finds its own rows.
//
// A Feistel network permutes [0, 2^bits), the least power of two that holds all rows, and is applied
// again while it lands outside [0, rows) (cycle walking: Black and Rogaway, "Ciphers with arbitrary
// finite domains", 2002). On average that takes fewer than two rounds of walking. The use of such
// bijections to shuffle in parallel is from Mitchell, Stokes, Frank and Holmes, "Bandwidth-optimal
// random shuffling for GPUs", 2021.
#pragma once

#include <cstdint>

#include "device.h"
#include "philox.h"

// Code compiled for one instruction set uses this too: it must get its own copy.
#define RS_ALWAYS_INLINE __attribute__((always_inline)) inline

namespace rs {

struct Shuffle {
  static constexpr int kRounds = 8;

  uint64_t rows = 0;
  int left_bits = 0;
  int right_bits = 0;
  uint32_t keys[kRounds] = {};

  Shuffle() = default;

  Shuffle(uint64_t seed, uint64_t epoch, int64_t row_count) : rows(static_cast<uint64_t>(row_count)) {
    int bits = 2;
    while (bits < 62 && (uint64_t{1} << bits) < rows) ++bits;
    left_bits = bits / 2;
    right_bits = bits - left_bits;
    for (int round = 0; round < kRounds; ++round) {
      keys[round] = philox(seed, kShuffleStream + static_cast<uint64_t>(round) / 4, epoch)[round % 4];
    }
  }

  // From a position in the epoch to a row; both are in [0, rows).
  RS_HOST_DEVICE RS_ALWAYS_INLINE int64_t at(int64_t position) const {
    uint64_t row = permute(static_cast<uint64_t>(position));
    while (row >= rows) row = permute(row);
    return static_cast<int64_t>(row);
  }

  // From positions in the epoch to rows, in place.
  RS_HOST_DEVICE RS_ALWAYS_INLINE void map(int64_t* index, int count) const {
    for (int i = 0; i < count; ++i) index[i] = static_cast<int64_t>(permute(static_cast<uint64_t>(index[i])));
    for (int i = 0; i < count; ++i) {
      while (static_cast<uint64_t>(index[i]) >= rows) {
        index[i] = static_cast<int64_t>(permute(static_cast<uint64_t>(index[i])));
      }
    }
  }

 private:
  RS_HOST_DEVICE RS_ALWAYS_INLINE uint64_t permute(uint64_t value) const {
    const uint32_t left_mask = mask(left_bits), right_mask = mask(right_bits);
    uint32_t left = static_cast<uint32_t>(value >> right_bits);
    uint32_t right = static_cast<uint32_t>(value) & right_mask;
    for (int round = 0; round < kRounds; round += 2) {
      left ^= mix(right ^ keys[round]) & left_mask;
      right ^= mix(left ^ keys[round + 1]) & right_mask;
    }
    return uint64_t{left} << right_bits | right;
  }

  RS_HOST_DEVICE RS_ALWAYS_INLINE static uint32_t mask(int bits) { return static_cast<uint32_t>((uint64_t{1} << bits) - 1); }

  // MurmurHash3's finalizer: every input bit reaches every output bit.
  RS_HOST_DEVICE RS_ALWAYS_INLINE static uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85EBCA6B;
    h ^= h >> 13;
    h *= 0xC2B2AE35;
    return h ^ h >> 16;
  }
};

}  // namespace rs
