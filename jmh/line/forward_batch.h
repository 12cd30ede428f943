// Forward only, SIMD across samples.
#pragma once

#include "samples16.h"

// `rows` is a multiple of 16.
__attribute__((noinline)) inline void predict(const Parameters<float>& p, const float* x, int64_t rows, int threads, float* y) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
  for (int64_t row = 0; row < rows; row += 16) {
    v16 in[kInputs], out = all16(p.b2);
    transpose(x + kInputs * row, in);
#pragma GCC unroll 4
    for (int j = 0; j < kHidden; ++j) {
      v16 t = all16(p.b1[j]);
      for (int i = 0; i < kInputs; ++i) t += p.w1[j][i] * in[i];
      out += p.w2[j] * t;
    }
    _mm512_storeu_ps(y + row, (__m512)out);
  }
}
