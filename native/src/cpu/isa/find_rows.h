// Where the rows of a tile lie in the dataset: for a shuffled epoch, many positions at a time through Shuffle's
// network.
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

typedef uint32_t words __attribute__((vector_size(64 / kParts), may_alias));

// Some registers of words that go through the network together: each operation waits for the one before it, so that
// one register alone would leave the processor idle.
constexpr int kTogether = 4, kWordsTogether = kTogether * kPartLanes;

struct ManyWords {
  words part[kTogether];

  template <typename F>
  RS_INLINE static ManyWords each(F f) {
    ManyWords r;
    for (int p = 0; p < kTogether; ++p) r.part[p] = f(p);
    return r;
  }

  RS_INLINE static ManyWords at(const uint32_t* values) {
    return each([&](int p) { return *reinterpret_cast<const words*>(values + p * kPartLanes); });
  }

  RS_INLINE void store(uint32_t* values) const {
    for (int p = 0; p < kTogether; ++p) *reinterpret_cast<words*>(values + p * kPartLanes) = part[p];
  }

  RS_INLINE friend ManyWords operator^(const ManyWords& a, const ManyWords& b) {
    return each([&](int p) { return a.part[p] ^ b.part[p]; });
  }
  RS_INLINE friend ManyWords operator|(const ManyWords& a, const ManyWords& b) {
    return each([&](int p) { return a.part[p] | b.part[p]; });
  }
  RS_INLINE friend ManyWords operator^(const ManyWords& a, uint32_t b) {
    return each([&](int p) { return a.part[p] ^ b; });
  }
  RS_INLINE friend ManyWords operator&(const ManyWords& a, uint32_t b) {
    return each([&](int p) { return a.part[p] & b; });
  }
  RS_INLINE friend ManyWords operator*(const ManyWords& a, uint32_t b) {
    return each([&](int p) { return a.part[p] * b; });
  }
  RS_INLINE friend ManyWords operator+(const ManyWords& a, uint32_t b) {
    return each([&](int p) { return a.part[p] + b; });
  }
  RS_INLINE friend ManyWords operator<<(const ManyWords& a, int b) {
    return each([&](int p) { return a.part[p] << b; });
  }
  RS_INLINE friend ManyWords operator>>(const ManyWords& a, int b) {
    return each([&](int p) { return a.part[p] >> b; });
  }
  RS_INLINE ManyWords& operator^=(const ManyWords& b) { return *this = *this ^ b; }
  RS_INLINE ManyWords& operator*=(uint32_t b) { return *this = *this * b; }
};

// Positions that are shuffled at once: so many that few of their walkers go the last rounds alone.
constexpr int kShuffledRows = 512;

// Those of a tile that landed outside the rows and walk on: where they are, and the positions that they stand for.
struct Walkers {
  alignas(64) uint32_t value[kShuffledRows + kWordsTogether];
  alignas(64) uint32_t position[kShuffledRows + kWordsTogether];
  int count = 0;

  // Adds the lanes of `walks`; what lies beyond `count` may be overwritten.
  RS_INLINE void add(words values, words positions, words walks);
};

#if defined(__AVX512F__)

RS_INLINE void Walkers::add(words values, words positions, words walks) {
  const __mmask16 mask = _mm512_movepi32_mask((__m512i)walks);
  _mm512_storeu_si512(value + count, _mm512_maskz_compress_epi32(mask, (__m512i)values));
  _mm512_storeu_si512(position + count, _mm512_maskz_compress_epi32(mask, (__m512i)positions));
  count += __builtin_popcount(mask);
}

#elif defined(__AVX2__)

// For every mask of 8 lanes the numbers of those in it, the lowest first.
struct LaneLists {
  alignas(64) uint8_t lanes[256][8] = {};

  constexpr LaneLists() {
    for (int mask = 0; mask < 256; ++mask) {
      for (int lane = 0, count = 0; lane < 8; ++lane) {
        if (mask >> lane & 1) lanes[mask][count++] = static_cast<uint8_t>(lane);
      }
    }
  }
};
constexpr LaneLists kLaneLists;

RS_INLINE void Walkers::add(words values, words positions, words walks) {
  const int mask = _mm256_movemask_ps((__m256)walks);
  const __m128i list = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kLaneLists.lanes[mask]));
  const __m256i lanes = _mm256_cvtepu8_epi32(list);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(value + count), _mm256_permutevar8x32_epi32((__m256i)values, lanes));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(position + count), _mm256_permutevar8x32_epi32((__m256i)positions, lanes));
  count += __builtin_popcount(static_cast<unsigned>(mask));
}

#else

RS_INLINE void Walkers::add(words values, words positions, words walks) {
  for (int k = 0; k < kPartLanes; ++k) {
    value[count] = values[k];
    position[count] = positions[k];
    count += walks[k] != 0;
  }
}

#endif

// 0, 1, 2, ...
RS_INLINE words lane_numbers() {
  words lanes;
  for (int k = 0; k < kPartLanes; ++k) lanes[k] = static_cast<uint32_t>(k);
  return lanes;
}

// Adds those of the first `some` lanes that lie outside the rows.
RS_INLINE void add_walkers(const ManyWords& value, const ManyWords& position, int some, uint32_t last, Walkers& walkers) {
  const words lane = lane_numbers();
  for (int p = 0; p < kTogether; ++p) {
    const words counts = words(lane + static_cast<uint32_t>(p * kPartLanes) < static_cast<uint32_t>(some));
    walkers.add(value.part[p], position.part[p], words(value.part[p] > last) & counts);
  }
}

// What Shuffle::map does, for kShuffledRows positions at most, all below 2^32. All go through the network once; then, together,
// those that landed outside the rows, until there are none.
RS_INLINE void shuffle_words(const Shuffle& shuffle, uint32_t first, int count, int64_t* index) {
  const uint32_t last = static_cast<uint32_t>(shuffle.rows - 1);
  alignas(64) uint32_t row[kShuffledRows];
  Walkers walkers;
  for (int i = 0; i < count; i += kWordsTogether) {
    const ManyWords position = ManyWords::each([&](int p) { return lane_numbers() + static_cast<uint32_t>(i + p * kPartLanes); });
    const ManyWords value = shuffle.permute_words(position + first);
    value.store(row + i);
    add_walkers(value, position, count - i, last, walkers);
  }
  while (walkers.count > 0) {
    const int walking = walkers.count;
    walkers.count = 0;
    for (int i = 0; i < walking; i += kWordsTogether) {
      const ManyWords position = ManyWords::at(walkers.position + i);
      const ManyWords value = shuffle.permute_words(ManyWords::at(walkers.value + i));
      value.store(walkers.value + i);
      for (int k = i; k < walking && k < i + kWordsTogether; ++k) row[walkers.position[k]] = walkers.value[k];
      add_walkers(value, position, walking - i, last, walkers);
    }
  }
  for (int i = 0; i < count; ++i) index[i] = row[i];
}

// The rows at positions [first, first + count) of `rows`.
__attribute__((noinline)) inline void find_rows(const Rows& rows, int64_t first, int count, int64_t* index) {
  constexpr int kFewRows = 4;
  if (rows.shuffle && rows.shuffle->bits() <= 32 && count >= kFewRows) {
    for (int s = 0; s < count; s += kShuffledRows) {
      const uint32_t at = static_cast<uint32_t>(rows.first + first + s);
      shuffle_words(*rows.shuffle, at, count - s < kShuffledRows ? count - s : kShuffledRows, index + s);
    }
    return;
  }
  for (int s = 0; s < count; ++s) index[s] = rows.first + first + s;
  if (rows.shuffle) rows.shuffle->map(index, count);
}

}  // namespace rs::cpu::RS_ISA
