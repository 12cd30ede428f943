// Sums of blocks equal the CPU's ExactSum bit for bit, in one step and through digits, however the blocks are
// shared out.
#include "add_blocks.h"

#include <algorithm>

#include "exact_sum.h"
#include "hard_sums.h"
#include "kernel_test.h"

using test::DeviceArray;
using test::Floats;
using test::Random;

namespace {

constexpr int64_t kDigits = 11;

// Every parameter has a series of its own kind, so that one block of threads meets easy and hard ones.
void fill(const Floats& gradients, int64_t blocks, int64_t length, Random& random) {
  for (int64_t i = 0; i < length; ++i) {
    const test::Series kind = test::kAllSeries[random.below(static_cast<int64_t>(std::size(test::kAllSeries)))];
    const std::vector<float> values = make_series(kind, static_cast<size_t>(blocks), random);
    for (int64_t b = 0; b < blocks; ++b) gradients[b * length + i] = values[static_cast<size_t>(b)];
  }
}

void compare(const Floats& sum, const std::vector<rs::ExactSum>& expected, int64_t blocks, const char* how) {
  for (int64_t i = 0; i < sum.size(); ++i) {
    const float e = expected[static_cast<size_t>(i)].result();
    CHECK(test::same_bits(sum[i], e), "%s, %d blocks, parameter %d: %a is not %a", how, static_cast<int>(blocks),
          static_cast<int>(i), sum[i], e);
  }
}

// Sums of every magnitude, one a parameter: three times a power of two, and a half of it less.
void fill_every_magnitude(const Floats& gradients, int64_t length) {
  for (int64_t i = 0; i < length; ++i) {
    const float power = std::ldexp(1.0f, static_cast<int>(std::min<int64_t>(i, 276)) - 149);
    gradients[i] = power;
    gradients[length + i] = i % 2 ? power : -power;
    gradients[2 * length + i] = power / 2;
  }
}

// 4,096 times 2^127 on either side, far beyond float32's range, with a value beside it that no double can hold.
void fill_beyond_range(const Floats& gradients, int64_t blocks, int64_t length) {
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < length; ++i) gradients[b * length + i] = b == 1 ? 1e-30f : i % 2 ? 0x1p127f : -0x1p127f;
  }
}

void check(const Floats& gradients, int64_t blocks, int64_t length, Random& random) {
  const Floats sum(length);
  std::vector<rs::ExactSum> expected(static_cast<size_t>(length));
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < length; ++i) expected[static_cast<size_t>(i)].add(gradients[b * length + i]);
  }

  test::run_in_both_orders(sum, [&] { rs::gpu::add_blocks(gradients.get(), blocks, length, sum.get(), nullptr); });
  compare(sum, expected, blocks, "in one step");

  // Three ranks with a share each, of which some are empty; digits are added as an all-reduce would.
  const int64_t cuts[4] = {0, random.below(blocks + 1), blocks, blocks};
  std::vector<uint64_t> all(static_cast<size_t>(kDigits * length));
  for (int rank = 0; rank < 3; ++rank) {
    const DeviceArray<int64_t> digits(std::vector<int64_t>(all.size()));
    rs::gpu::add_blocks_to_digits(gradients.get() + cuts[rank] * length, cuts[rank + 1] - cuts[rank], length,
                                  digits.get(), nullptr);
    for (size_t i = 0; i < all.size(); ++i) all[i] += static_cast<uint64_t>(digits[static_cast<int64_t>(i)]);
  }
  const DeviceArray<int64_t> digits(kDigits * length);
  for (size_t i = 0; i < all.size(); ++i) digits[static_cast<int64_t>(i)] = static_cast<int64_t>(all[i]);
  const Floats rounded(length);
  rs::gpu::digits_to_gradient(digits.get(), length, rounded.get(), nullptr);
  compare(rounded, expected, blocks, "through digits");
}

}  // namespace

int main() {
  Random random(16);
  for (const int64_t blocks : {0, 1, 2, 3, 7, 8, 31, 63, 64, 65, 127, 257}) {
    for (const int64_t length : {16, 48, 256}) {
      const Floats gradients(blocks * length);
      fill(gradients, blocks, length, random);
      check(gradients, blocks, length, random);
    }
  }
  const Floats magnitudes(3 * 288), many(4097 * 16);
  fill_every_magnitude(magnitudes, 288);
  check(magnitudes, 3, 288, random);
  fill(many, 4097, 16, random);
  check(many, 4097, 16, random);
  fill_beyond_range(many, 4097, 16);
  check(many, 4097, 16, random);
  return 0;
}
