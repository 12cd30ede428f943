// The exact sum of float32 values, rounded once to float32: the same for any order of the values.
#pragma once

#include <cstdint>

namespace rs {

// A fixed-point number wide enough for every float32: digits of 32 bits, the lowest worth 2^-149.
// 2^30 additions cannot overflow it.
class ExactSum {
 public:
  void add(float value);
  void add(const ExactSum& other);

  // Rounded to nearest, ties to even. Beyond float32's range it is infinite. NaN and infinities among
  // the values give what adding them one by one would.
  float result() const;

 private:
  static constexpr int kDigits = 11;  // 2^-149 ... 2^128 takes 277 bits; the rest is room to carry

  int64_t digits_[kDigits] = {};
  double special_ = 0;  // sum of the values that are not finite
};

}  // namespace rs
