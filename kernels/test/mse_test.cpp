// Losses of blocks of rows and their derivatives, against float64.
#include "mse.h"

#include <algorithm>

#include "kernel_test.h"

using test::Floats;

namespace {

constexpr int64_t kPadding = 3;

double loss(const Floats& h, const Floats& y, const Floats& weights, int64_t first, int64_t end, int outputs) {
  double sum = 0;
  for (int64_t r = first; r < end; ++r) {
    for (int64_t o = 0; o < outputs; ++o) {
      const double e = static_cast<double>(h[r * outputs + o]) - y[r * outputs + o];
      sum += weights[o] * e * e;
    }
  }
  return sum;
}

void check(int64_t rows, int64_t block_rows, int outputs, test::Random& random) {
  const int64_t blocks = (rows + block_rows - 1) / block_rows, stride = 1 + kPadding + 2;
  const Floats predictions(test::uniform(rows * outputs, random)), y(test::uniform(rows * outputs, random));
  const Floats weights(test::uniform(outputs, random)), losses(blocks), padded(blocks * stride);
  for (int64_t o = 0; o < outputs; ++o) weights[o] += 1.5f;
  test::run_in_both_orders(losses, [&] {
    rs::gpu::mse_loss(predictions.get(), y.get(), weights.get(), rows, block_rows, outputs, losses.get(), 1, nullptr);
  });
  const Floats h(predictions.values());
  rs::gpu::mse_gradient(h.get(), y.get(), weights.get(), rows, block_rows, outputs, padded.get(), stride, kPadding, nullptr);

  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t end = std::min(rows, (b + 1) * block_rows);
    const double expected = loss(predictions, y, weights, b * block_rows, end, outputs);
    CHECK(std::fabs(losses[b] - expected) <= 20 * test::kUnit * expected, "loss %g is not %g", losses[b], expected);
    CHECK(padded[b * stride] == losses[b], "with the gradient the loss is %g, not %g", padded[b * stride], losses[b]);
    for (int64_t i = 1; i < stride; ++i) {
      CHECK(test::bits_of(padded[b * stride + i]) == (i <= kPadding ? 0 : ~0u), "float %d behind a loss", static_cast<int>(i));
    }
  }
  for (int64_t i = 0; i < rows * outputs; ++i) {
    CHECK(h[i] == 2 * (predictions[i] - y[i]), "derivative %d", static_cast<int>(i));
  }
}

}  // namespace

int main() {
  test::Random random(14);
  for (const int64_t rows : test::kCounts) {
    for (const int outputs : {1, 2, 3, 16, 300}) {
      for (const int64_t block_rows : {32, 128}) check(rows, block_rows, outputs, random);
    }
  }
  return 0;
}
