// Inverted dropout, as torch.nn.Dropout: a hidden unit becomes 0 with probability p, else is multiplied by 1 / (1 - p).
//
// Which units go is a function of the step's key, the row's number in the batch and the unit's: four units that follow
// one another share the four words of philox(key, group, row) (philox.h), and a unit is dropped where its word is below
// p * 2^32. Every layer begins a group. So no mask depends on threads or on how a batch is cut.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

RS_INLINE int64_t dropout_groups(int units) { return (units + 3) / 4; }

// philox(key, group, row + i) for i in [0, N): word k of each in words[k].
template <int N>
RS_INLINE void dropout_words(uint64_t key, uint64_t group, uint64_t row, uint32_t (&words)[4][N]) {
  for (int i = 0; i < N; ++i) {
    words[0][i] = static_cast<uint32_t>(row + static_cast<uint64_t>(i));
    words[1][i] = static_cast<uint32_t>((row + static_cast<uint64_t>(i)) >> 32);
    words[2][i] = static_cast<uint32_t>(group);
    words[3][i] = static_cast<uint32_t>(group >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < N; ++i) {
      const uint64_t p0 = uint64_t{0xD2511F53} * words[0][i], p1 = uint64_t{0xCD9E8D57} * words[2][i];
      words[0][i] = static_cast<uint32_t>(p1 >> 32) ^ words[1][i] ^ k0;
      words[1][i] = static_cast<uint32_t>(p1);
      words[2][i] = static_cast<uint32_t>(p0 >> 32) ^ words[3][i] ^ k1;
      words[3][i] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

// What at most four units of `count` rows, a multiple of 16, are multiplied by: factors[unit * stride + row].
__attribute__((noinline)) inline void dropout_factors(
    const Dropout& d, int64_t group, int64_t row, int units, int count, int stride, float* factors) {
  for (int s = 0; s < count; s += kLanes) {
    uint32_t words[4][kLanes];
    dropout_words(d.key, static_cast<uint64_t>(group), static_cast<uint64_t>(row + s), words);
    for (int u = 0; u < units; ++u) {
      for (int i = 0; i < kLanes; ++i) factors[u * stride + s + i] = words[u][i] < d.threshold ? 0.0f : d.scale;
    }
  }
}

// The same of one row: factors[unit].
__attribute__((noinline)) inline void dropout_factors_of_row(
    const Dropout& d, int64_t group, int64_t row, int units, float* factors) {
  uint32_t words[4][1];
  dropout_words(d.key, static_cast<uint64_t>(group), static_cast<uint64_t>(row), words);
  for (int u = 0; u < units; ++u) factors[u] = words[u][0] < d.threshold ? 0.0f : d.scale;
}

}  // namespace rs::cpu::RS_ISA
