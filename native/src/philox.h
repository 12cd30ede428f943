// Philox4x32-10: a counter-based random generator (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). Its n-th value needs none before it, so the CPU and any
// GPU thread draw the same numbers.
#pragma once

#include <cstdint>

#include "device.h"

namespace rs {

struct PhiloxWords {
  uint32_t word[4];

  RS_HOST_DEVICE uint32_t operator[](uint64_t i) const { return word[i]; }
};

RS_HOST_DEVICE inline PhiloxWords philox(uint64_t seed, uint64_t stream, uint64_t counter) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

// What a stream of random numbers is for: streams of one seed never overlap.
enum RandomStream : uint64_t { kInitStream = 0, kShuffleStream = uint64_t{1} << 32, kDropoutStream = uint64_t{2} << 32 };

}  // namespace rs
