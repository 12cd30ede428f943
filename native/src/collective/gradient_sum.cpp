#include "collective/gradient_sum.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace rs::collective {
namespace {

// Counts of ranks, 10 bits for each plane, 6 planes a word.
constexpr int kCountBits = 10, kCountsPerWord = 6;
constexpr int kCountWords = 2, kTallyWords = 2, kHeaderWords = kCountWords + kTallyWords;

// A plane that was not used in so many sums travels no more, until it is used again.
constexpr int kIdle = 64;

// The plane of values that are not finite counts +infinity, -infinity and NaN, 20 bits for each.
constexpr int kSpecialBits = 20;

constexpr __int128 kDigit = __int128{1} << 32;

// Parameters whose values are added side by side.
constexpr int64_t kColumns = 16;

// Sums of columns in double, and the sums of what the additions lost, by Knuth's TwoSum: where that is 0, as it is for all
// but widely spread values, the sum is exact. Not 0 either where a value is not finite.
struct DoubleSums {
  double total[kColumns] = {}, lost[kColumns] = {};

  void add(const float* values, int64_t columns) {
    for (int64_t c = 0; c < columns; ++c) {
      const double value = values[c], next = total[c] + value, added = next - total[c];
      lost[c] += std::fabs((total[c] - (next - added)) + (value - added));
      total[c] = next;
    }
  }
};

int highest(uint32_t planes) { return 31 - __builtin_clz(planes); }
int lowest(uint32_t planes) { return __builtin_ctz(planes); }

}  // namespace

GradientSum::GradientSum(Communicator& communicator, Reduce reduce, int64_t length)
    : communicator_(communicator),
      reduce_(reduce),
      length_(length),
      part_(std::min(length, kPart)),
      windows_(static_cast<size_t>((length + kPart - 1) / kPart)),
      planes_(static_cast<size_t>(reduce == kExact ? part_ * kPlanes : 0)),
      message_(static_cast<size_t>(kHeaderWords + (reduce == kExact ? part_ * kPlanes : 0))) {
  if (communicator.size() >= 1 << kCountBits) {
    throw Failure(Failure::kBackend, Failure::kNoRank,
                  std::to_string(communicator.size()) + " ranks are more than 1023, which gradients can be summed over");
  }
}

void GradientSum::run(const float* vectors, int64_t stride, int64_t blocks, Tally& tally, float* sum) {
  if (reduce_ == kExact) return exact(vectors, stride, blocks, tally, sum);
  std::fill(sum, sum + length_, 0.0f);
  for (int64_t i = 0; i < length_ && blocks > 0; ++i) {
    ExactSum own;
    for (int64_t b = 0; b < blocks; ++b) own.add(vectors[b * stride + i]);
    sum[i] = own.result();
  }
  communicator_.all_reduce(sum, length_, Element::kFloat32);
  run(tally);
}

void GradientSum::run(Tally& tally) {
  int64_t words[kTallyWords] = {tally.rows, tally.stops};
  communicator_.all_reduce(words, kTallyWords, Element::kInt64);
  tally = {words[0], words[1]};
}

void GradientSum::exact(const float* vectors, int64_t stride, int64_t blocks, Tally& tally, float* sum) {
  Tally own = tally;
  for (size_t part = 0; part < windows_.size(); ++part) {
    const int64_t first = static_cast<int64_t>(part) * kPart, count = std::min(kPart, length_ - first);
    Tally all = own;
    exact_part(windows_[part], vectors + first, stride, blocks, count, all, sum + first);
    if (part == 0) tally = all;
  }
}

void GradientSum::exact_part(Window& window, const float* vectors, int64_t stride, int64_t blocks, int64_t count,
                             Tally& tally, float* sum) {
  const Planes own = add_values(vectors, stride, blocks, count);
  int64_t* words = message_.data();
  std::fill(words, words + kCountWords, 0);
  for (int p = 0; p < kPlanes; ++p) {
    if (own >> p & 1) words[p / kCountsPerWord] += int64_t{1} << (p % kCountsPerWord * kCountBits);
  }
  words[kCountWords] = tally.rows;
  words[kCountWords + 1] = tally.stops;
  int64_t* end = append(window.planes, count, words + kHeaderWords);
  communicator_.all_reduce(words, end - words, Element::kInt64);

  Planes used = 0;
  for (int p = 0; p < kPlanes; ++p) {
    const int64_t ranks = words[p / kCountsPerWord] >> (p % kCountsPerWord * kCountBits) & ((1 << kCountBits) - 1);
    if (ranks > 0) used |= Planes{1} << p;
  }
  tally = {words[kCountWords], words[kCountWords + 1]};
  take(window.planes, count, words + kHeaderWords);
  if (const Planes more = used & ~window.planes) {
    end = append(more, count, words);
    communicator_.all_reduce(words, end - words, Element::kInt64);
    take(more, count, words);
  }
  round(used, count, sum);
  adapt(window, used);
}

// Into planes_, which is all 0 before; the planes that were used. Many values become one double first, if that is exact.
GradientSum::Planes GradientSum::add_values(const float* vectors, int64_t stride, int64_t blocks, int64_t count) {
  Planes used = 0;
  for (int64_t first = 0; first < count; first += kColumns) {
    const int64_t columns = std::min(kColumns, count - first);
    DoubleSums sums;
    for (int64_t b = 0; b < blocks; ++b) sums.add(vectors + b * stride + first, columns);
    for (int64_t c = 0; c < columns; ++c) {
      if (sums.lost[c] == 0 && add_double(sums.total[c], first + c, used)) continue;
      for (int64_t b = 0; b < blocks; ++b) add_value(vectors[b * stride + first + c], first + c, used);
    }
  }
  return used;
}

// As three floats, which have the 53 bits between them. False where it is beyond floats.
bool GradientSum::add_double(double value, int64_t i, Planes& used) {
  const float high = static_cast<float>(value);
  if (!std::isfinite(high)) return false;
  const float middle = static_cast<float>(value - high);
  add_value(high, i, used);
  add_value(middle, i, used);
  add_value(static_cast<float>(value - high - middle), i, used);
  return true;
}

inline void GradientSum::add_value(float value, int64_t i, Planes& used) {
  const ExactSum::Digits digits = ExactSum::split(value);
  if (digits.place < 0) {
    const int kind = std::isnan(value) ? 2 : value < 0 ? 1 : 0;
    plane(kPlanes - 1)[i] += int64_t{1} << (kind * kSpecialBits);
    used |= Planes{1} << (kPlanes - 1);
    return;
  }
  plane(digits.place)[i] += digits.low;
  plane(digits.place + 1)[i] += digits.high;
  used |= static_cast<Planes>(digits.low != 0) << digits.place | static_cast<Planes>(digits.high != 0) << (digits.place + 1);
}

// The planes, one after the other, at `end`; the new end.
int64_t* GradientSum::append(Planes planes, int64_t count, int64_t* end) {
  for (int p = 0; p < kPlanes; ++p) {
    if (planes >> p & 1) end = std::copy(plane(p), plane(p) + count, end);
  }
  return end;
}

void GradientSum::take(Planes planes, int64_t count, const int64_t* from) {
  for (int p = 0; p < kPlanes; ++p) {
    if (!(planes >> p & 1)) continue;
    std::copy(from, from + count, plane(p));
    from += count;
  }
}

void GradientSum::round(Planes used, int64_t count, float* sum) {
  const Planes finite = used & ~(Planes{1} << (kPlanes - 1));
  const bool narrow = used == finite && used != 0 && highest(used) - lowest(used) <= 2;
  const int low = used != 0 ? std::min(lowest(used), kPlanes - 4) : 0;
  const int64_t *digits0 = plane(low), *digits1 = plane(low + 1), *digits2 = plane(low + 2);
  const double unit = std::ldexp(1.0, 32 * low - 149);
  for (int64_t i = 0; i < count; ++i) {
    if (!narrow) {
      sum[i] = round_any(used, i);
      continue;
    }
    // Digits stay below 2^62, so three of them fit. Integers become floats rounded to nearest, ties to even; what
    // follows is exact, unless the result is denormal or too large.
    const __int128 whole = digits0[i] + kDigit * (digits1[i] + kDigit * digits2[i]);
    const float result = static_cast<float>(static_cast<float>(whole) * unit);
    sum[i] = whole == 0 || std::isnormal(result) ? result : round_any(used, i);
  }
  for (int p = 0; p < kPlanes; ++p) {
    if (used >> p & 1) std::fill(plane(p), plane(p) + count, 0);
  }
}

float GradientSum::round_any(Planes used, int64_t i) const {
  int64_t digits[ExactSum::kDigits] = {};
  for (int p = 0; p < ExactSum::kDigits; ++p) {
    if (used >> p & 1) digits[p] = plane(p)[i];
  }
  double special = 0;
  if (used >> (kPlanes - 1) & 1) {
    const int64_t counts = plane(kPlanes - 1)[i], mask = (1 << kSpecialBits) - 1;
    if (counts & mask) special += std::numeric_limits<double>::infinity();
    if (counts >> kSpecialBits & mask) special -= std::numeric_limits<double>::infinity();
    if (counts >> 2 * kSpecialBits) special = std::numeric_limits<double>::quiet_NaN();
  }
  return ExactSum(digits, special).result();
}

void GradientSum::adapt(Window& window, Planes used) {
  window.planes |= used;
  for (int p = 0; p < kPlanes; ++p) {
    window.idle[p] = used >> p & 1 ? 0 : static_cast<uint8_t>(std::min(window.idle[p] + 1, kIdle));
    if (window.idle[p] == kIdle) window.planes &= ~(Planes{1} << p);
  }
}

}  // namespace rs::collective
