// Rows of a dataset, brought into columns: feature i of the tile's row s at columns[i * stride + s].
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// Rows that are worked on at once: with the activations of a small network they fit into the
// first-level cache.
constexpr int kTileRows = 256;

typedef uint32_t words __attribute__((vector_size(64 / kParts), may_alias));

// value[i] goes through the shuffle's network once, for i in [0, count) and beyond up to a multiple of 16.
RS_INLINE void permute_words(const Shuffle& shuffle, int count, uint32_t* value) {
  for (int i = 0; i < count; i += kLanes) {
    for (int part = 0; part < kParts; ++part) {
      words* lanes = reinterpret_cast<words*>(value + i + part * kPartLanes);
      *lanes = shuffle.permute_words(*lanes);
    }
  }
}

// Positions that are shuffled at once: so many that their chains of operations overlap.
constexpr int kShuffledRows = 512;

// What Shuffle::map does, for kShuffledRows positions at most, all below 2^32. Those that land outside the rows walk on
// together.
RS_INLINE void shuffle_words(const Shuffle& shuffle, uint32_t first, int count, int64_t* index) {
  alignas(64) uint32_t value[kShuffledRows];
  uint16_t walker[kShuffledRows];
  const uint64_t rows = shuffle.rows;
  for (int s = 0; s < (count + kLanes - 1) / kLanes * kLanes; ++s) {
    value[s] = first + static_cast<uint32_t>(s);
    walker[s] = static_cast<uint16_t>(s);
  }
  while (count > 0) {
    permute_words(shuffle, count, value);
    int walkers = 0;
    for (int i = 0; i < count; ++i) {
      const uint32_t row = value[i];
      const uint16_t s = walker[i];
      index[s] = row;
      walker[walkers] = s;
      value[walkers] = row;
      walkers += row >= rows;
    }
    count = walkers;
  }
}

// Where the rows of a tile lie in the dataset.
__attribute__((noinline)) static void find_rows(const Rows& rows, int64_t first, int count, int64_t* index) {
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

// The rows of the next tile on their way into the cache, some at a time while this one is worked on: all at once they
// would fill the few buffers for lines that are missing, and hold up everything else.
struct Ahead {
  const float* data;
  int width;
  const int64_t* index;
  int count;
  int share;  // rows at a time
  int done;

  RS_INLINE void some() { to(count - done < share ? count : done + share); }
  RS_INLINE void rest() { to(count); }
  RS_INLINE void to(int end) {
    for (; done < end; ++done) __builtin_prefetch(data + index[done] * width);
  }
};

#if defined(__AVX512F__)

constexpr int kRowGroup = 16;

// At most 16 features of the 16 rows row(0), row(1), ...: pairs of rows are interleaved, then pairs of pairs, then
// quarters of registers change places.
template <typename F>
RS_INLINE void transpose(F row, int features, int stride, float* columns) {
  const __mmask16 mask = static_cast<__mmask16>((1u << features) - 1);
  __m512 r[16], t[16];
  for (int k = 0; k < 16; ++k) r[k] = _mm512_maskz_loadu_ps(mask, row(k));
  for (int k = 0; k < 16; k += 2) {
    t[k] = _mm512_unpacklo_ps(r[k], r[k + 1]);
    t[k + 1] = _mm512_unpackhi_ps(r[k], r[k + 1]);
  }
  for (int k = 0; k < 16; k += 4) {
    for (int half = 0; half < 2; ++half) {
      const __m512d a = _mm512_castps_pd(t[k + half]), b = _mm512_castps_pd(t[k + 2 + half]);
      r[k + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[k + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
  // Quarter q of r[4 g + c] now holds feature 4 q + c of rows 4 g to 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512 even1 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88), even2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
    const __m512 odd1 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xDD), odd2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xDD);
    const auto put = [&](int feature, __m512 v) {
      if (feature < features) _mm512_storeu_ps(columns + feature * stride, v);
    };
    put(c, _mm512_shuffle_f32x4(even1, even2, 0x88));
    put(4 + c, _mm512_shuffle_f32x4(odd1, odd2, 0x88));
    put(8 + c, _mm512_shuffle_f32x4(even1, even2, 0xDD));
    put(12 + c, _mm512_shuffle_f32x4(odd1, odd2, 0xDD));
  }
}

template <typename F>
RS_INLINE void transpose_rows(F row, int width, int stride, float* columns) {
  for (int i = 0; i < width; i += 16) {
    transpose([&](int k) { return row(k) + i; }, width - i < 16 ? width - i : 16, stride, columns + i * stride);
  }
}

#else

constexpr int kRowGroup = 4;

template <typename F>
RS_INLINE void transpose(F row, int feature, int stride, float* columns) {
  __m128 a = _mm_loadu_ps(row(0) + feature), b = _mm_loadu_ps(row(1) + feature);
  __m128 c = _mm_loadu_ps(row(2) + feature), d = _mm_loadu_ps(row(3) + feature);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  float* column = columns + feature * stride;
  _mm_storeu_ps(column, a);
  _mm_storeu_ps(column + stride, b);
  _mm_storeu_ps(column + 2 * stride, c);
  _mm_storeu_ps(column + 3 * stride, d);
}

// At least 4 features of 4 rows. The last four end with the row: reading past it could leave the dataset.
template <typename F>
RS_INLINE void transpose_rows(F row, int width, int stride, float* columns) {
  int i = 0;
  for (; i + 4 <= width; i += 4) transpose(row, i, stride, columns);
  if (i < width) transpose(row, width - 4, stride, columns);
}

#endif

// One feature of rows that follow one another.
inline void copy_column(const float* data, int count, float* column) {
  int s = 0;
  for (; s + kLanes <= count; s += kLanes) store(column + s, load(data + s));
  if (s < count) store(column + s, load_first(data + s, count - s));
}

// Rows past `count` up to a multiple of 16 become 0.
inline void load_columns(
    const float* data, int width, const int64_t* index, bool in_order, int count, int stride, float* columns) {
  if (width == 1 && in_order) return copy_column(data + index[0], count, columns);
  int s = 0;
  for (; width >= 4 && s + kRowGroup <= count; s += kRowGroup) {
    if (in_order) {
      const float* first = data + index[s] * width;
      transpose_rows([&](int k) { return first + static_cast<int64_t>(k) * width; }, width, stride, columns + s);
    } else {
      transpose_rows([&](int k) { return data + index[s + k] * width; }, width, stride, columns + s);
    }
  }
  for (int i = 0; i < width; ++i) {
    float* column = columns + i * stride;
    for (int r = s; r < count; ++r) column[r] = data[index[r] * width + i];
    for (int r = count; r % kLanes != 0; ++r) column[r] = 0;
  }
}

}  // namespace rs::cpu::RS_ISA
