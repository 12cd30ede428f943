// Sixteen floats at a time, on registers of whatever width this file is compiled for.
//
// All code in this folder is compiled once for each instruction set, inside namespace RS_ISA. Every
// operation works on 16 lanes in the same order everywhere, so AVX2 and AVX-512 give the same bits.
// Nothing here may come from a header with inline functions of its own: the linker would keep one copy
// of them, perhaps the one compiled for a processor we are not on.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define RS_INLINE inline __attribute__((always_inline))

namespace rs::cpu::RS_ISA {

#if defined(__AVX512F__)
constexpr int kParts = 1;
#elif defined(__AVX2__)
constexpr int kParts = 2;
#else
constexpr int kParts = 4;
#endif
constexpr int kLanes = 16;
constexpr int kPartLanes = kLanes / kParts;

typedef float vec __attribute__((vector_size(64 / kParts)));
typedef int32_t ivec __attribute__((vector_size(64 / kParts)));

struct f16 {
  vec part[kParts];
};

template <int I>
struct Index {
  static constexpr int value = I;
};

// f(Index<0>()), ... f(Index<N - 1>()): a loop that the compiler cannot leave a loop, so that arrays
// indexed by it can live in registers.
template <int N, typename F>
RS_INLINE void unrolled(F f) {
  if constexpr (N > 0) {
    unrolled<N - 1>(f);
    f(Index<N - 1>());
  }
}

template <typename F>
RS_INLINE f16 each(F f) {
  f16 r;
  for (int p = 0; p < kParts; ++p) r.part[p] = f(p);
  return r;
}

// ---- memory ----

RS_INLINE vec load_part(const float* p) {
  typedef float unaligned __attribute__((vector_size(64 / kParts), aligned(4), may_alias));
  return *reinterpret_cast<const unaligned*>(p);
}

RS_INLINE void store_part(float* p, vec v) {
  typedef float unaligned __attribute__((vector_size(64 / kParts), aligned(4), may_alias));
  *reinterpret_cast<unaligned*>(p) = v;
}

RS_INLINE vec set1_part(float x) { return x - vec{}; }

RS_INLINE f16 load(const float* p) {
  return each([=](int k) { return load_part(p + k * kPartLanes); });
}

RS_INLINE void store(float* p, const f16& v) {
  for (int k = 0; k < kParts; ++k) store_part(p + k * kPartLanes, v.part[k]);
}

RS_INLINE f16 set1(float x) {
  return each([=](int) { return x - vec{}; });
}

RS_INLINE f16 zero() {
  return each([](int) { return vec{}; });
}

// The first n lanes, 0 <= n <= 16; the others are 0, and their memory is not touched.
RS_INLINE f16 load_first(const float* p, int n) {
#if defined(__AVX512F__)
  return {{(vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)}};
#else
  alignas(64) float lanes[kLanes] = {};
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
#endif
}

RS_INLINE void store_first(float* p, int n, const f16& v) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v.part[0]);
#else
  alignas(64) float lanes[kLanes];
  store(lanes, v);
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
#endif
}

// The same values, in registers: without this the compiler may load them once more for each use, and an operand in memory
// slows a multiply-add down.
RS_INLINE f16 in_registers(f16 v) {
  for (int k = 0; k < kParts; ++k) {
#if defined(__AVX512F__)
    __asm__("" : "+v"(v.part[k]));
#else
    __asm__("" : "+x"(v.part[k]));
#endif
  }
  return v;
}

// ---- arithmetic ----

RS_INLINE vec fma_part(vec a, vec b, vec c) {
#if defined(__AVX512F__)
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

RS_INLINE vec sqrt_part(vec a) {
#if defined(__AVX512F__)
  return (vec)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__)
  return (vec)_mm256_sqrt_ps((__m256)a);
#else
  return (vec)_mm_sqrt_ps((__m128)a);
#endif
}

RS_INLINE f16 operator+(const f16& a, const f16& b) {
  return each([&](int p) { return a.part[p] + b.part[p]; });
}
RS_INLINE f16 operator-(const f16& a, const f16& b) {
  return each([&](int p) { return a.part[p] - b.part[p]; });
}
RS_INLINE f16 operator*(const f16& a, const f16& b) {
  return each([&](int p) { return a.part[p] * b.part[p]; });
}
RS_INLINE f16 operator/(const f16& a, const f16& b) {
  return each([&](int p) { return a.part[p] / b.part[p]; });
}
// a * b + c, rounded once
RS_INLINE f16 fma(const f16& a, const f16& b, const f16& c) {
  return each([&](int p) { return fma_part(a.part[p], b.part[p], c.part[p]); });
}
RS_INLINE float fma(float a, float b, float c) {
#if defined(__FMA__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;  // as fma_part
#endif
}
RS_INLINE f16 sqrt(const f16& a) {
  return each([&](int p) { return sqrt_part(a.part[p]); });
}

// The sum of all lanes: lanes i and i + 8 first, then i + 4, i + 2, i + 1.
RS_INLINE float sum(const f16& v) {
#if defined(__AVX512F__)
  const __m512 a = (__m512)v.part[0];
  const __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
#elif defined(__AVX2__)
  const __m256 b = (__m256)(v.part[0] + v.part[1]);
  const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
#else
  const __m128 c = (__m128)((v.part[0] + v.part[2]) + (v.part[1] + v.part[3]));
#endif
  const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}

// The same sum, in all lanes of a register: for those who would spread it over them.
RS_INLINE vec sum_everywhere(const f16& v) {
#if defined(__AVX512F__)
  __m512 a = (__m512)v.part[0];
  a = a + _mm512_shuffle_f32x4(a, a, 0x4E);
  a = a + _mm512_shuffle_f32x4(a, a, 0xB1);
  a = a + _mm512_permute_ps(a, 0x4E);
  return (vec)(a + _mm512_permute_ps(a, 0xB1));
#else
  return sum(v) - vec{};
#endif
}

// sums[k] = sum of values[k * 16 ...], for k in [0, 16): the same additions in the same order, but with vectors of
// partial sums of several k, so that it takes a sixth of the instructions.
RS_INLINE void sum_each(const float* values, float* sums) {
#if defined(__AVX512F__)
  __m512 a[8];
  // Of two vectors: the first halves' lanes, plus those of the second halves; and so on with quarters and pairs. Halves
  // are put together as they are loaded, since shuffles are what there is least of.
  for (int k = 0; k < 8; ++k) {
    const float *one = values + 2 * k * kLanes, *two = one + kLanes;
    const __m512 outer = _mm512_mask_loadu_ps(_mm512_loadu_ps(one), 0xFF00, two);
    const __m512 inner = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(one + 8)), _mm256_loadu_ps(two), 1);
    a[k] = outer + inner;
  }
  for (int k = 0; k < 4; ++k) {
    a[k] = _mm512_shuffle_f32x4(a[2 * k], a[2 * k + 1], 0x88) + _mm512_shuffle_f32x4(a[2 * k], a[2 * k + 1], 0xDD);
  }
  for (int k = 0; k < 2; ++k) {
    a[k] = _mm512_shuffle_ps(a[2 * k], a[2 * k + 1], 0x44) + _mm512_shuffle_ps(a[2 * k], a[2 * k + 1], 0xEE);
  }
  a[0] = _mm512_shuffle_ps(a[0], a[1], 0x88) + _mm512_shuffle_ps(a[0], a[1], 0xDD);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_ps(sums, _mm512_permutexvar_ps(order, a[0]));
#elif defined(__AVX2__)
  for (int half = 0; half < 16; half += 8) {
    __m256 a[8];
    for (int k = 0; k < 8; ++k) {
      const float* own = values + (half + k) * kLanes;
      a[k] = (__m256)(load_part(own) + load_part(own + 8));
    }
    for (int k = 0; k < 4; ++k) {
      a[k] = _mm256_permute2f128_ps(a[2 * k], a[2 * k + 1], 0x20) + _mm256_permute2f128_ps(a[2 * k], a[2 * k + 1], 0x31);
    }
    for (int k = 0; k < 2; ++k) {
      a[k] = _mm256_shuffle_ps(a[2 * k], a[2 * k + 1], 0x44) + _mm256_shuffle_ps(a[2 * k], a[2 * k + 1], 0xEE);
    }
    a[0] = _mm256_shuffle_ps(a[0], a[1], 0x88) + _mm256_shuffle_ps(a[0], a[1], 0xDD);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_ps(sums + half, _mm256_permutevar8x32_ps(a[0], order));
  }
#else
  for (int quarter = 0; quarter < 16; quarter += 4) {
    __m128 a[4];
    for (int k = 0; k < 4; ++k) {
      const float* own = values + (quarter + k) * kLanes;
      a[k] = (__m128)((load_part(own) + load_part(own + 8)) + (load_part(own + 4) + load_part(own + 12)));
    }
    for (int k = 0; k < 2; ++k) {
      a[k] = _mm_shuffle_ps(a[2 * k], a[2 * k + 1], 0x44) + _mm_shuffle_ps(a[2 * k], a[2 * k + 1], 0xEE);
    }
    _mm_storeu_ps(sums + quarter, _mm_shuffle_ps(a[0], a[1], 0x88) + _mm_shuffle_ps(a[0], a[1], 0xDD));
  }
#endif
}

}  // namespace rs::cpu::RS_ISA
