// Floats as their bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace test {

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// One NaN is as good as another.
inline bool same_bits(float a, float b) { return bits_of(a) == bits_of(b) || (std::isnan(a) && std::isnan(b)); }

// Where two arrays first differ; `count` where they do not.
inline int64_t first_difference(const float* a, const float* b, int64_t count) {
  int64_t i = 0;
  while (i < count && same_bits(a[i], b[i])) ++i;
  return i;
}

}  // namespace test
