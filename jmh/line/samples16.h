// Sixteen samples at a time: lane s of a vector belongs to sample s. For all code that runs across samples.
#pragma once

#include <immintrin.h>

#include "problem.h"

// GCC's own vector type: a float beside it is spread over the lanes, and a + b * c becomes one FMA.
typedef float v16 __attribute__((vector_size(64)));

inline v16 all16(float x) { return (v16)_mm512_set1_ps(x); }
inline v16 load16(const float* p) { return (v16)_mm512_loadu_ps(p); }
inline float sum16(v16 v) { return _mm512_reduce_add_ps((__m512)v); }

// The sums of 16 vectors: all at once, a shuffle works on two or four of them.
inline v16 sums16(const v16* vectors) {
  __m512 v[16];
  for (int k = 0; k < 16; ++k) v[k] = (__m512)vectors[k % 4 * 4 + k / 4];  // so that the sums come out in their order
  for (int k = 0; k < 8; ++k)
    v[k] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * k], v[2 * k + 1], 0x44), _mm512_shuffle_f32x4(v[2 * k], v[2 * k + 1], 0xee));
  for (int k = 0; k < 4; ++k)
    v[k] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * k], v[2 * k + 1], 0x88), _mm512_shuffle_f32x4(v[2 * k], v[2 * k + 1], 0xdd));
  for (int k = 0; k < 2; ++k)
    v[k] = _mm512_add_ps(_mm512_shuffle_ps(v[2 * k], v[2 * k + 1], 0x44), _mm512_shuffle_ps(v[2 * k], v[2 * k + 1], 0xee));
  return (v16)_mm512_add_ps(_mm512_shuffle_ps(v[0], v[1], 0x88), _mm512_shuffle_ps(v[0], v[1], 0xdd));
}

// 16 rows of 10 features become 10 vectors of 16 samples. Rows are read as 16 floats, into their successor;
// the last one is not, as it may be the end of the data.
inline void transpose(const float* x, v16* columns) {
  __m512 row[16], pair[16], quad[16];
  for (int k = 0; k < 15; ++k) row[k] = _mm512_loadu_ps(x + kInputs * k);
  row[15] = _mm512_maskz_loadu_ps((1 << kInputs) - 1, x + kInputs * 15);
  for (int k = 0; k < 16; k += 2) {
    pair[k] = _mm512_unpacklo_ps(row[k], row[k + 1]);
    pair[k + 1] = _mm512_unpackhi_ps(row[k], row[k + 1]);
  }
  for (int k = 0; k < 16; k += 4) {
    for (int b = 0; b < 2; ++b) {
      const __m512d a = _mm512_castps_pd(pair[k + b]), c = _mm512_castps_pd(pair[k + 2 + b]);
      quad[k + 2 * b] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
      quad[k + 2 * b + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    }
  }
  // quad[4q + c] holds, in its lane L of four floats, column 4L + c of rows 4q to 4q + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512 even_top = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0x88);
    const __m512 even_bottom = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0x88);
    const __m512 odd_top = _mm512_shuffle_f32x4(quad[c], quad[4 + c], 0xdd);
    const __m512 odd_bottom = _mm512_shuffle_f32x4(quad[8 + c], quad[12 + c], 0xdd);
    columns[c] = (v16)_mm512_shuffle_f32x4(even_top, even_bottom, 0x88);
    columns[4 + c] = (v16)_mm512_shuffle_f32x4(odd_top, odd_bottom, 0x88);
    if (8 + c < kInputs) columns[8 + c] = (v16)_mm512_shuffle_f32x4(even_top, even_bottom, 0xdd);
  }
}
