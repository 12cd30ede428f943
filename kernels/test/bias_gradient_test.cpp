// Sums of dz over blocks of rows, against float64.
#include "bias_gradient.h"

#include <algorithm>

#include "kernel_test.h"

using test::Floats;

namespace {

void check(int64_t rows, int64_t block_rows, int out, test::Random& random) {
  const int64_t blocks = (rows + block_rows - 1) / block_rows, stride = out + random.below(5);
  const Floats dz(test::uniform(rows * out, random)), gradients(blocks * stride);
  test::run_in_both_orders(gradients, [&] {
    rs::gpu::bias_gradient(dz.get(), rows, block_rows, out, gradients.get(), stride, nullptr);
  });
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t end = std::min(rows, (b + 1) * block_rows);
    for (int64_t j = 0; j < out; ++j) {
      double sum = 0, size = 0;
      for (int64_t r = b * block_rows; r < end; ++r) sum += dz[r * out + j], size += std::fabs(dz[r * out + j]);
      const float actual = gradients[b * stride + j];
      CHECK(std::fabs(actual - sum) <= 20 * test::kUnit * size, "block %d, unit %d: %g is not %g", static_cast<int>(b),
            static_cast<int>(j), actual, sum);
    }
    for (int64_t i = out; i < stride; ++i) CHECK(test::bits_of(gradients[b * stride + i]) == ~0u, "wrote between blocks");
  }
}

}  // namespace

int main() {
  test::Random random(12);
  for (const int64_t rows : test::kCounts) {
    for (const int out : {1, 2, 7, 8, 9, 31, 32, 33, 70}) {
      for (const int64_t block_rows : {32, 128}) check(rows, block_rows, out, random);
    }
  }
  check(3000, 2048, 1, random);
  check(3000, 2048, 5, random);
  return 0;
}
