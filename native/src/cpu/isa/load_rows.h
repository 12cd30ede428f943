// Rows of a dataset, brought into columns: feature i of the tile's row s at columns[i * stride + s].
#pragma once

#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// Rows that are worked on at once: with the activations of a small network they fit into the
// first-level cache.
constexpr int kTileRows = 256;

// Where the rows of a tile lie in the dataset.
__attribute__((noinline)) static void find_rows(const Rows& rows, int64_t first, int count, int64_t* index) {
  for (int s = 0; s < count; ++s) index[s] = rows.first + first + s;
  if (rows.shuffle) rows.shuffle->map(index, count);
}

RS_INLINE void transpose4(const float* const row[4], int feature, int stride, float* column) {
  __m128 a = _mm_loadu_ps(row[0] + feature), b = _mm_loadu_ps(row[1] + feature);
  __m128 c = _mm_loadu_ps(row[2] + feature), d = _mm_loadu_ps(row[3] + feature);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(column, a);
  _mm_storeu_ps(column + stride, b);
  _mm_storeu_ps(column + 2 * stride, c);
  _mm_storeu_ps(column + 3 * stride, d);
}

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
  for (; width >= 4 && s + 4 <= count; s += 4) {
    const float* row[4];
    for (int k = 0; k < 4; ++k) row[k] = data + index[s + k] * width;
    int i = 0;
    for (; i + 4 <= width; i += 4) transpose4(row, i, stride, columns + i * stride + s);
    // The last group ends with the row: reading past it could leave the dataset.
    if (i < width) transpose4(row, width - 4, stride, columns + (width - 4) * stride + s);
  }
  for (int i = 0; i < width; ++i) {
    float* column = columns + i * stride;
    for (int r = s; r < count; ++r) column[r] = data[index[r] * width + i];
    for (int r = count; r % kLanes != 0; ++r) column[r] = 0;
  }
}

}  // namespace rs::cpu::RS_ISA
