#include "exact_sum.h"

#include <cmath>
#include <cstring>

namespace rs {

ExactSum::ExactSum(const int64_t (&digits)[kDigits], double special) : special_(special) {
  std::memcpy(digits_, digits, sizeof digits_);
}

void ExactSum::add(float value) {
  const Digits digits = split(value);
  if (digits.place < 0) {
    special_ += value;
    return;
  }
  digits_[digits.place] += digits.low;
  digits_[digits.place + 1] += digits.high;
}

void ExactSum::add(const ExactSum& other) {
  for (int i = 0; i < kDigits; ++i) digits_[i] += other.digits_[i];
  special_ += other.special_;
}

float ExactSum::result() const {
  if (special_ != 0) return static_cast<float>(special_);  // true of NaN too

  // Carry, so that all digits but the last are in [0, 2^32): the last has the sign.
  int64_t digits[kDigits];
  std::memcpy(digits, digits_, sizeof digits);
  const auto carry = [&] {
    for (int i = 0; i + 1 < kDigits; ++i) {
      const int64_t low = digits[i] & 0xFFFFFFFF;
      digits[i + 1] += (digits[i] - low) >> 32;
      digits[i] = low;
    }
  };
  carry();
  const float sign = digits[kDigits - 1] < 0 ? -1.0f : 1.0f;
  if (sign < 0) {
    for (int64_t& digit : digits) digit = -digit;
    carry();
  }

  int top = kDigits - 1;
  while (top >= 0 && digits[top] == 0) --top;
  if (top < 0) return 0.0f;

  // The upper two digits hold at least 33 bits, or all there are. One more bit stands for everything
  // below them, so that rounding them to 24 bits rounds the whole number.
  if (top == 0) return sign * std::ldexp(static_cast<float>(digits[0]), -149);
  uint64_t upper = static_cast<uint64_t>(digits[top]) << 32 | static_cast<uint64_t>(digits[top - 1]);
  for (int i = top - 2; i >= 0; --i) upper |= digits[i] != 0;
  return sign * std::ldexp(static_cast<float>(upper), 32 * (top - 1) - 149);
}

}  // namespace rs
