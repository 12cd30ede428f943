// What the machine can do at all: bytes read from memory and multiply-adds done, by so many threads.
#pragma once

#include <cstdint>

// As wide as the widest register this is compiled for, or the compiler would count what it splits.
#if defined(__AVX512F__)
typedef float vec __attribute__((vector_size(64)));
#else
typedef float vec __attribute__((vector_size(32)));
#endif
constexpr int kVecFloats = sizeof(vec) / sizeof(float);

// Adds up `count` floats, a multiple of 1024: a sum must read them all.
inline float read_all(const float* data, int64_t count, int threads) {
  float total = 0;
#pragma omp parallel for num_threads(threads) if (threads > 1) reduction(+ : total)
  for (int t = 0; t < threads; ++t) {
    const int64_t share = count / threads;
    const float* own = data + share * t;
    vec sums[8] = {};
    for (int64_t i = 0; i < share; i += 8 * kVecFloats)
      for (int k = 0; k < 8; ++k) sums[k] += *reinterpret_cast<const vec*>(own + i + k * kVecFloats);
    for (const vec& s : sums)
      for (int k = 0; k < kVecFloats; ++k) total += s[k];
  }
  return total;
}

// `rounds` times 12 vector multiply-adds that do not wait for each other, on each thread.
constexpr int kChains = 12;
inline float multiply_add(int64_t rounds, int threads) {
  float total = 0;
#pragma omp parallel for num_threads(threads) if (threads > 1) reduction(+ : total)
  for (int t = 0; t < threads; ++t) {
    vec sums[kChains], factor = vec{} + 0.5f, more = vec{} + 1.0f;
    // Twelve starts: equal chains the compiler would compute as one, and one from 2, which stays 2, not at all.
    for (int k = 0; k < kChains; ++k) sums[k] = vec{} - static_cast<float>(k);
    for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
      for (int k = 0; k < kChains; ++k) sums[k] = sums[k] * factor + more;
    }
    for (const vec& s : sums) total += s[0];
  }
  return total;
}
