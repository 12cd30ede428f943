// Functions that CUDA has without a header.
#pragma once

#include <math.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "thread.h"

using std::max;
using std::min;

namespace simt {

template <typename To, typename From>
To bits_of(From value) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  std::memcpy(&to, &value, sizeof to);
  return to;
}

}  // namespace simt

inline unsigned __float_as_uint(float value) { return simt::bits_of<unsigned>(value); }
inline int __float_as_int(float value) { return simt::bits_of<int>(value); }
inline float __uint_as_float(unsigned bits) { return simt::bits_of<float>(bits); }
inline float __int_as_float(int bits) { return simt::bits_of<float>(bits); }
inline long long __double_as_longlong(double value) { return simt::bits_of<long long>(value); }
inline double __longlong_as_double(long long bits) { return simt::bits_of<double>(bits); }

inline int __clz(int bits) { return bits ? __builtin_clz(static_cast<unsigned>(bits)) : 32; }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float rsqrtf(float value) { return 1.0f / sqrtf(value); }

// Loads and stores with a hint to the cache.
template <typename T>
T __ldg(const T* address) {
  return *address;
}
template <typename T>
T __ldcs(const T* address) {
  return *address;
}
template <typename T>
T __ldcg(const T* address) {
  return *address;
}
template <typename T>
void __stcs(T* address, T value) {
  *address = value;
}
template <typename T>
void __stcg(T* address, T value) {
  *address = value;
}

// Blocks run one after the other and see all that earlier ones wrote.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

inline void __trap(SIMT_WHERE) { simt::fail("__trap()", {file, line}); }
