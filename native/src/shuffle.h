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
    for (int block = 0; block < kRounds / 4; ++block) {
      const PhiloxWords words = philox(seed, kShuffleStream + static_cast<uint64_t>(block), epoch);
      for (int i = 0; i < 4; ++i) keys[block * 4 + i] = words.word[i];
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

  RS_ALWAYS_INLINE int bits() const { return left_bits + right_bits; }

  // One pass of the network over [0, 2^bits), where bits is 32 at most; W holds one or many of uint32_t.
  template <typename W>
  RS_ALWAYS_INLINE W permute_words(W value) const {
    const uint32_t right_mask = mask(right_bits);
    W left = value >> right_bits, right = value & right_mask;
    mix_halves(left, right);
    return (left << right_bits) | right;
  }

 private:
  RS_HOST_DEVICE RS_ALWAYS_INLINE uint64_t permute(uint64_t value) const {
    uint32_t left = static_cast<uint32_t>(value >> right_bits);
    uint32_t right = static_cast<uint32_t>(value) & mask(right_bits);
    mix_halves(left, right);
    return uint64_t{left} << right_bits | right;
  }

  template <typename W>
  RS_HOST_DEVICE RS_ALWAYS_INLINE void mix_halves(W& left, W& right) const {
    const uint32_t left_mask = mask(left_bits), right_mask = mask(right_bits);
    for (int round = 0; round < kRounds; round += 2) {
      left ^= mix(W(right ^ keys[round])) & left_mask;
      right ^= mix(W(left ^ keys[round + 1])) & right_mask;
    }
  }

  RS_HOST_DEVICE RS_ALWAYS_INLINE static uint32_t mask(int bits) { return static_cast<uint32_t>((uint64_t{1} << bits) - 1); }

  // MurmurHash3's finalizer: every input bit reaches every output bit.
  template <typename W>
  RS_HOST_DEVICE RS_ALWAYS_INLINE static W mix(W h) {
    h ^= h >> 16;
    h *= uint32_t{0x85EBCA6B};
    h ^= h >> 13;
    h *= uint32_t{0xC2B2AE35};
    return h ^ (h >> 16);
  }
};

}  // namespace rs
