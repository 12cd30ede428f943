// Rows of a dataset, brought into columns: feature i of the tile's row s at columns[i * stride + s].
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// Rows that are worked on at once: with the activations of a small network they fit into the
// first-level cache.
constexpr int kTileRows = 256;

// The rows of the next tile on their way into the cache, some at a time while this one is worked on: all at once they
// would fill the few buffers for lines that are missing, and hold up everything else.
struct Ahead {
  const float* data;
  int width;
  const int64_t* index;
  int count;
  int share;  // rows at a time
  bool in_order;
  int done;

  RS_INLINE void some() {
    if (done < count) to(count - done < share ? count : done + share);
  }
  RS_INLINE void rest() {
    if (done < count) to(count);
  }

  // A function of its own, so that loops around it keep their registers.
  __attribute__((noinline)) void to(int end) {
    if (in_order) {
      const float* last = data + (index[0] + end) * width;
      for (const float* p = data + (index[0] + done) * width; p < last; p += 16) __builtin_prefetch(p);
    } else {
      for (int r = done; r < end; ++r) __builtin_prefetch(data + index[r] * width);
    }
    done = end;
  }
};

// Rows from `first` on, value by value, and 0 up to a multiple of 16.
inline void copy_rows(const float* data, int width, const int64_t* index, int first, int count, int stride, float* columns) {
  for (int i = 0; i < width; ++i) {
    float* column = columns + i * stride;
    int r = first;
    for (; r < count; ++r) column[r] = data[index[r] * width + i];
    for (; r % kLanes != 0; ++r) column[r] = 0;
  }
}

#if defined(__AVX512F__)

// Sixteen rows that follow one another.
struct RowsInOrder {
  const float* first;
  int64_t width;

  // Where floats i of the rows k, k + 4, k + 8 and k + 12 lie, to be given to f.
  template <typename F>
  RS_INLINE auto quarter(int k, int i, F f) const {
    const float* p = first + k * width + i;
    const int64_t step = 4 * width;
    return f(p, p + step, p + 2 * step, p + 3 * step);
  }
};

// Sixteen rows anywhere.
struct RowsAnywhere {
  const float* row[16];

  template <typename F>
  RS_INLINE auto quarter(int k, int i, F f) const {
    return f(row[k] + i, row[k + 4] + i, row[k + 8] + i, row[k + 12] + i);
  }
};

// Four floats of each of four rows. Loads that leave other lanes as they are take the place of shuffles, of which the
// processor does half as many at a time.
RS_INLINE __m512 load_quarters(const float* a, const float* b, const float* c, const float* d) {
  __m512 v = _mm512_broadcast_f32x4(_mm_loadu_ps(a));
  v = _mm512_mask_broadcast_f32x4(v, 0x00F0, _mm_loadu_ps(b));
  v = _mm512_mask_broadcast_f32x4(v, 0x0F00, _mm_loadu_ps(c));
  return _mm512_mask_broadcast_f32x4(v, 0xF000, _mm_loadu_ps(d));
}

// Features i + begin to i + 3 of 16 rows, of which `lanes` are there: those of the others become 0.
template <typename R>
RS_INLINE void transpose(const R& rows, int i, int begin, __mmask16 lanes, int stride, float* columns) {
  const __m512 a = rows.quarter(0, i, load_quarters), b = rows.quarter(1, i, load_quarters);
  const __m512 c = rows.quarter(2, i, load_quarters), d = rows.quarter(3, i, load_quarters);
  const auto put = [&](int k, __m512d v) {
    _mm512_storeu_ps(columns + (i + k) * stride, _mm512_maskz_mov_ps(lanes, _mm512_castpd_ps(v)));
  };
  const __m512d low1 = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)), low2 = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
  const __m512d high1 = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)), high2 = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
  if (begin < 1) put(0, _mm512_unpacklo_pd(low1, low2));
  if (begin < 2) put(1, _mm512_unpackhi_pd(low1, low2));
  if (begin < 3) put(2, _mm512_unpacklo_pd(high1, high2));
  put(3, _mm512_unpackhi_pd(high1, high2));
}

// At least 4 features. The last four end with the row: reading past it could leave the dataset.
template <typename R>
RS_INLINE void transpose_rows(const R& rows, int width, __mmask16 lanes, int stride, float* columns) {
  int i = 0;
  for (; i + 4 <= width; i += 4) transpose(rows, i, 0, lanes, stride, columns);
  switch (width - i) {
    case 1: return transpose(rows, width - 4, 3, lanes, stride, columns);
    case 2: return transpose(rows, width - 4, 2, lanes, stride, columns);
    case 3: return transpose(rows, width - 4, 1, lanes, stride, columns);
  }
}

inline void transpose_all(const float* data, int width, const int64_t* index, bool in_order, int count, int stride, float* columns) {
  int s = 0;
  if (in_order) {
    for (; s + 16 <= count; s += 16) {
      transpose_rows(RowsInOrder{data + index[s] * width, width}, width, 0xFFFF, stride, columns + s);
    }
  }
  for (; s < count; s += 16) {
    const int some = count - s < 16 ? count - s : 16;
    RowsAnywhere rows;
    for (int k = 0; k < 16; ++k) rows.row[k] = data + index[k < some ? s + k : s] * width;
    transpose_rows(rows, width, static_cast<__mmask16>((1u << some) - 1), stride, columns + s);
  }
}

#else

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

inline void transpose_all(const float* data, int width, const int64_t* index, bool in_order, int count, int stride, float* columns) {
  int s = 0;
  for (; s + 4 <= count; s += 4) {
    if (in_order) {
      const float* first = data + index[s] * width;
      transpose_rows([&](int k) { return first + static_cast<int64_t>(k) * width; }, width, stride, columns + s);
    } else {
      transpose_rows([&](int k) { return data + index[s + k] * width; }, width, stride, columns + s);
    }
  }
  copy_rows(data, width, index, s, count, stride, columns);
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
  if (width == 1 && in_order) {
    copy_column(data + index[0], count, columns);
  } else if (width < 4) {
    copy_rows(data, width, index, 0, count, stride, columns);
  } else {
    transpose_all(data, width, index, in_order, count, stride, columns);
  }
}

}  // namespace rs::cpu::RS_ISA
