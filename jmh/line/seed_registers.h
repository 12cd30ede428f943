// Batch 1, all 241 weights in registers from the first step to the last: the line for the seed loop.
// 20 hidden units are one register of 16 and one of 4; 10 + 10 of them hold fc1.weight, 4 the rest.
#pragma once

#include <immintrin.h>

#include "seed_plain.h"

struct Wide {  // one value for each hidden unit
  __m512 low;
  __m128 high;
};

inline Wide load(const float* p) { return {_mm512_loadu_ps(p), _mm_loadu_ps(p + 16)}; }
inline void store(float* p, Wide v) {
  _mm512_storeu_ps(p, v.low);
  _mm_storeu_ps(p + 16, v.high);
}
inline Wide all(float x) { return {_mm512_set1_ps(x), _mm_set1_ps(x)}; }
inline Wide operator+(Wide a, Wide b) { return {_mm512_add_ps(a.low, b.low), _mm_add_ps(a.high, b.high)}; }
inline Wide operator-(Wide a, Wide b) { return {_mm512_sub_ps(a.low, b.low), _mm_sub_ps(a.high, b.high)}; }
inline Wide operator*(Wide a, Wide b) { return {_mm512_mul_ps(a.low, b.low), _mm_mul_ps(a.high, b.high)}; }
// c + a * b and c - a * b
inline Wide fma(Wide a, Wide b, Wide c) { return {_mm512_fmadd_ps(a.low, b.low, c.low), _mm_fmadd_ps(a.high, b.high, c.high)}; }
inline Wide fnma(Wide a, Wide b, Wide c) { return {_mm512_fnmadd_ps(a.low, b.low, c.low), _mm_fnmadd_ps(a.high, b.high, c.high)}; }

inline float dot(Wide a, Wide b) {
  const __m512 m = _mm512_mul_ps(a.low, b.low);
  const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(m), _mm512_extractf32x8_ps(m, 1));
  __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  s4 = _mm_fmadd_ps(a.high, b.high, s4);
  s4 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s4, _mm_shuffle_ps(s4, s4, 1)));
}

__attribute__((noinline)) inline void train_registers(Transposed& p, const float* x, const float* y, int64_t steps) {
  Wide w1[kInputs], b1 = load(p.b1), w2 = load(p.w2);
  for (int i = 0; i < kInputs; ++i) w1[i] = load(p.w1[i]);
  float b2 = p.b2;
  for (int64_t s = 0; s < steps; ++s, x += kInputs) {
    // Two sums, so that no addition waits for the one before it.
    Wide even = b1, odd = all(0);
#pragma GCC unroll 10
    for (int i = 0; i < kInputs; i += 2) {
      even = fma(all(x[i]), w1[i], even);
      odd = fma(all(x[i + 1]), w1[i + 1], odd);
    }
    const Wide h = even + odd;
    const float d = 2 * kLearningRate * (dot(h, w2) + b2 - y[s]);
    const Wide dh = all(d) * w2;
    b2 -= d;
    w2 = fnma(all(d), h, w2);
    b1 = b1 - dh;
#pragma GCC unroll 10
    for (int i = 0; i < kInputs; ++i) w1[i] = fnma(all(x[i]), dh, w1[i]);
  }
  for (int i = 0; i < kInputs; ++i) store(p.w1[i], w1[i]);
  store(p.b1, b1);
  store(p.w2, w2);
  p.b2 = b2;
}
