// The exact sum of float32 values as an integer in digits, to be rounded once: the same for any order of the
// values, and for any split of them over thread blocks, devices and ranks. What native/src/exact_sum.h is on
// the CPU, with the same digits and the same result.
//
// Digit d < 9 is worth 2^(32 d - 149). None is carried while values are added, so sums of digits are digits of
// the sum, for up to 2^30 values. A finite float32 reaches digits 0 to 8 only; the last two count the values
// that are not finite: digit 9 +infinity and NaN, digit 10 -infinity and NaN.
#pragma once

#include <cstdint>

#include "simt.h"

namespace rs::gpu {

constexpr int kDigits = 11;
constexpr int kPositive = 9, kNegative = 10;  // digits that count what is not finite

// Adds `value` by calling add(digit, amount) for each digit it changes.
template <typename Add>
__device__ void add_to_digits(float value, Add add) {
  const uint32_t bits = __float_as_uint(value);
  const int exponent = static_cast<int>(bits >> 23 & 0xFF);
  const uint32_t fraction = bits & 0x7FFFFF;
  const bool negative = bits >> 31;
  if (exponent == 0xFF) {
    if (fraction != 0 || !negative) add(kPositive, int64_t{1});
    if (fraction != 0 || negative) add(kNegative, int64_t{1});
    return;
  }
  // value = +-mantissa * 2^(place - 149)
  const uint64_t mantissa = fraction | (exponent ? 1u << 23 : 0u);
  const int place = exponent ? exponent - 1 : 0;
  const uint64_t shifted = mantissa << (place % 32);  // below 2^55
  const int64_t low = static_cast<int64_t>(shifted & 0xFFFFFFFF), high = static_cast<int64_t>(shifted >> 32);
  add(place / 32, negative ? -low : low);
  add(place / 32 + 1, negative ? -high : high);
}

// The same for an exact sum of float32 values that a double holds.
template <typename Add>
__device__ void add_to_digits(double value, Add add) {
  const uint64_t bits = static_cast<uint64_t>(__double_as_longlong(value));
  const int exponent = static_cast<int>(bits >> 52 & 0x7FF);
  const bool negative = bits >> 63;
  if (exponent == 0) return;  // zero: no multiple of 2^-149 is a denormal double
  // value = +-mantissa * 2^(place - 149). It is a multiple of 2^-149, so what a shift to the right drops is 0.
  uint64_t mantissa = (bits & 0xFFFFFFFFFFFFF) | uint64_t{1} << 52;
  int place = exponent - 1075 + 149;
  if (place < 0) {
    mantissa >>= -place;
    place = 0;
  }
  const int shift = place % 32;
  const uint64_t lower = mantissa << shift, upper = shift ? mantissa >> (64 - shift) : 0;
  const int64_t parts[3] = {static_cast<int64_t>(lower & 0xFFFFFFFF), static_cast<int64_t>(lower >> 32),
                            static_cast<int64_t>(upper)};
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    if (parts[i] != 0) add(place / 32 + i, negative ? -parts[i] : parts[i]);
  }
}

// Leaves all digits but the last in [0, 2^32); the last has the sign.
__device__ inline void carry(int64_t (&digits)[kPositive]) {
#pragma unroll
  for (int i = 0; i + 1 < kPositive; ++i) {
    const int64_t low = digits[i] & 0xFFFFFFFF;
    digits[i + 1] += (digits[i] - low) >> 32;
    digits[i] = low;
  }
}

// The number whose digits digit(0) ... digit(10) gives: to nearest, ties to even, infinite beyond float32's
// range, and NaN or infinite where adding its values one by one would give that. All loops are unrolled, so
// that the digits stay in registers.
template <typename Digit>
__device__ float round_digits(Digit digit) {
  const bool positive = digit(kPositive) != 0, negative = digit(kNegative) != 0;
  if (positive || negative) {
    return __uint_as_float(positive && negative ? 0x7FFFFFFF : negative ? 0xFF800000 : 0x7F800000);
  }
  int64_t digits[kPositive];
#pragma unroll
  for (int i = 0; i < kPositive; ++i) digits[i] = digit(i);
  carry(digits);
  const float sign = digits[kPositive - 1] < 0 ? -1.0f : 1.0f;
  if (sign < 0) {
#pragma unroll
    for (int i = 0; i < kPositive; ++i) digits[i] = -digits[i];
    carry(digits);
  }
  if (digits[kPositive - 1] >> 32 != 0) return sign * __uint_as_float(0x7F800000);  // 2^139 or more

  // The upper two digits hold at least 33 bits, or all there are. One more bit stands for everything below
  // them, so that rounding them to 24 bits rounds the whole number.
  uint64_t upper = 0;
  int top = -1;
  bool more = false;
#pragma unroll
  for (int i = kPositive - 1; i >= 0; --i) {
    const uint64_t d = static_cast<uint64_t>(digits[i]);
    if (top < 0) {
      if (d != 0) upper = d, top = i;
    } else if (i == top - 1) {
      upper = upper << 32 | d;
    } else {
      more = more || d != 0;
    }
  }
  if (top < 0) return 0.0f;
  const int lowest = top == 0 ? 0 : top - 1;  // the digit that upper's last bits are
  return sign * ldexpf(static_cast<float>(upper | (more ? 1 : 0)), 32 * lowest - 149);
}

}  // namespace rs::gpu
