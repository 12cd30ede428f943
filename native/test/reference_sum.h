// The exact sum of floats, written for clarity alone: one signed counter for each binary place.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "bits.h"

namespace test {

class ReferenceSum {
 public:
  void add(float value) {
    if (!std::isfinite(value)) {
      has_special_ = true;
      special_ += value;
      return;
    }
    const uint32_t bits = bits_of(value), exponent = bits >> 23 & 0xFF;
    const uint32_t mantissa = (bits & 0x7FFFFF) | (exponent ? 1u << 23 : 0);
    const size_t lowest = exponent ? exponent - 1 : 0;
    for (size_t i = 0; i < 24; ++i) {
      if (mantissa >> i & 1) places_[lowest + i] += bits >> 31 ? -1 : 1;
    }
  }

  // Rounded to nearest, ties to even.
  float result() const {
    if (has_special_) return special_;
    std::vector<int64_t> digits = places_;
    const bool negative = carry(digits) < 0;
    if (negative) {
      digits = places_;
      for (int64_t& digit : digits) digit = -digit;
      carry(digits);
    }
    const float size = rounded(digits);
    return negative ? -size : size;
  }

 private:
  static constexpr size_t kPlaces = 320;  // from 2^-149 to beyond 2^128 times any count of values

  // Leaves digits of 0 and 1; returns what goes beyond the highest.
  static int64_t carry(std::vector<int64_t>& digits) {
    int64_t over = 0;
    for (int64_t& digit : digits) {
      const int64_t all = digit + over;
      digit = all & 1;
      over = (all - digit) / 2;
    }
    return over;
  }

  static float rounded(const std::vector<int64_t>& digits) {
    int top = static_cast<int>(kPlaces) - 1;
    while (top >= 0 && digits[static_cast<size_t>(top)] == 0) --top;
    const int lowest = top < 24 ? 0 : top - 23;  // of the 24 bits that stay
    int64_t mantissa = 0;
    for (int i = top; i >= lowest; --i) mantissa = 2 * mantissa + digits[static_cast<size_t>(i)];
    if (lowest > 0) {
      const bool half = digits[static_cast<size_t>(lowest - 1)] != 0;
      bool more = false;
      for (int i = 0; i < lowest - 1; ++i) more = more || digits[static_cast<size_t>(i)] != 0;
      if (half && (more || mantissa % 2 == 1)) ++mantissa;
    }
    return std::ldexp(static_cast<float>(mantissa), lowest - 149);  // exact, or infinite
  }

  std::vector<int64_t> places_ = std::vector<int64_t>(kPlaces);
  bool has_special_ = false;
  float special_ = 0;
};

}  // namespace test
