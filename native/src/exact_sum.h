// The exact sum of float32 values, rounded once to float32: the same for any order of the values.
#pragma once

#include <cstdint>
#include <cstring>

namespace rs {

// A fixed-point number wide enough for every float32: digits of 32 bits, the lowest worth 2^-149.
// 2^30 additions cannot overflow it.
class ExactSum {
 public:
  static constexpr int kDigits = 11;  // 2^-149 ... 2^128 takes 277 bits; the rest is room to carry

  // What one float adds to two neighbouring digits; place is -1 where it is not finite.
  struct Digits {
    int place;
    int64_t low, high;
  };

  static Digits split(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const int exponent = bits >> 23 & 0xFF;
    if (exponent == 0xFF) return {-1, 0, 0};
    // value = +-mantissa * 2^(place - 149)
    const uint64_t mantissa = (bits & 0x7FFFFF) | (exponent ? uint64_t{1} << 23 : 0);
    const int place = exponent ? exponent - 1 : 0;
    const uint64_t shifted = mantissa << (place % 32);  // below 2^55
    const int64_t sign = -static_cast<int64_t>(bits >> 31);  // 0 or -1
    const int64_t low = static_cast<int64_t>(shifted & 0xFFFFFFFF), high = static_cast<int64_t>(shifted >> 32);
    return {place / 32, (low ^ sign) - sign, (high ^ sign) - sign};
  }

  ExactSum() = default;

  // From digits that were added elsewhere; special is 0, or the sum of the values that are not finite.
  ExactSum(const int64_t (&digits)[kDigits], double special);

  void add(float value);
  void add(const ExactSum& other);

  // Rounded to nearest, ties to even. Beyond float32's range it is infinite. NaN and infinities among
  // the values give what adding them one by one would.
  float result() const;

 private:
  int64_t digits_[kDigits] = {};
  double special_ = 0;  // sum of the values that are not finite
};

}  // namespace rs
