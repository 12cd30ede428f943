// Series of floats that are hard, or not at all hard, to add up exactly.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>
#include <vector>

#include "bits.h"
#include "random.h"

namespace test {

enum class Series { kOrdinary, kAnyBits, kDenormal, kHuge, kCancelling, kTies, kZeros, kSpecial };

constexpr Series kAllSeries[] = {Series::kOrdinary,   Series::kAnyBits, Series::kDenormal, Series::kHuge,
                                 Series::kCancelling, Series::kTies,    Series::kZeros,    Series::kSpecial};

// Of the whole range of float32.
inline float any_finite(Random& random) {
  for (;;) {
    const float value = from_bits(static_cast<uint32_t>(random.bits()));
    if (std::isfinite(value)) return value;
  }
}

inline float power_of_two(int exponent) { return std::ldexp(1.0f, exponent); }

inline float draw(Series series, Random& random) {
  static const float kSpecials[] = {INFINITY, -INFINITY, NAN};
  switch (series) {
    case Series::kAnyBits:
    case Series::kCancelling: return any_finite(random);
    case Series::kDenormal: return random.sign() * from_bits(static_cast<uint32_t>(random.below(1 << 23)));
    case Series::kHuge: return random.sign() * random.uniform(0.5f, 1.0f) * FLT_MAX;
    // The sum of such powers lies halfway between two floats, or the least bit beside that.
    case Series::kTies: return random.sign() * power_of_two(static_cast<int>(random.below(4)) * 24 - 80);
    case Series::kZeros: return random.sign() * 0.0f;
    case Series::kSpecial: return random.below(8) == 0 ? kSpecials[random.below(3)] : random.uniform(-1, 1);
    default: return random.uniform(-1, 1);
  }
}

inline void shuffle(std::vector<float>& values, Random& random) {
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  }
}

inline std::vector<float> make_series(Series series, size_t count, Random& random) {
  std::vector<float> values(count);
  for (float& value : values) value = draw(series, random);
  if (series == Series::kCancelling) {
    // All but one value have their opposite.
    for (size_t i = 1; i + 1 < count; i += 2) values[i + 1] = -values[i];
    shuffle(values, random);
  }
  return values;
}

}  // namespace test
