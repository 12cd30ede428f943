// The three matrix products of a Linear layer, every element against float64, within what the rounding of its
// own terms allows.
#include <algorithm>
#include <cstdio>

#include "kernel_test.h"
#include "matmul_backward_inputs.h"
#include "matmul_backward_weights.h"
#include "matmul_forward.h"

using test::Floats;
using test::Random;

namespace {

// A sum of products in float64, and how far off one chain of float32 operations can be.
struct Sum {
  double value = 0, size = 0;
  int64_t terms = 0;

  void add(double a, double b) {
    value += a * b;
    size += std::fabs(a * b);
    ++terms;
  }
  double bound() const { return static_cast<double>(terms + 1) * test::kUnit * size; }
};

double worst = 0;  // of the bounds

void check(float actual, const Sum& expected, const char* what, int64_t row, int64_t column) {
  const double off = std::fabs(actual - expected.value);
  CHECK(off <= expected.bound(), "%s [%d][%d] is %g, not %g", what, static_cast<int>(row), static_cast<int>(column),
        actual, expected.value);
  if (expected.bound() > 0) worst = std::max(worst, off / expected.bound());
}

struct Shape {
  int64_t rows;
  int in, out;
};

void forward(const Shape& s, Random& random) {
  const Floats x(test::uniform(s.rows * s.in, random)), weight(test::uniform(int64_t{s.in} * s.out, random));
  const Floats bias(test::uniform(s.out, random)), z(s.rows * s.out);
  test::run_in_both_orders(z, [&] {
    rs::gpu::matmul_forward(x.get(), weight.get(), bias.get(), s.rows, s.in, s.out, z.get(), nullptr);
  });
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t j = 0; j < s.out; ++j) {
      Sum sum;
      sum.add(bias[j], 1);
      for (int64_t i = 0; i < s.in; ++i) sum.add(x[r * s.in + i], weight[j * s.in + i]);
      check(z[r * s.out + j], sum, "z", r, j);
    }
  }
}

void backward_inputs(const Shape& s, Random& random) {
  const Floats dz(test::uniform(s.rows * s.out, random)), weight(test::uniform(int64_t{s.in} * s.out, random));
  const Floats da(s.rows * s.in);
  test::run_in_both_orders(da, [&] {
    rs::gpu::matmul_backward_inputs(dz.get(), weight.get(), s.rows, s.in, s.out, da.get(), nullptr);
  });
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t i = 0; i < s.in; ++i) {
      Sum sum;
      for (int64_t j = 0; j < s.out; ++j) sum.add(dz[r * s.out + j], weight[j * s.in + i]);
      check(da[r * s.in + i], sum, "da", r, i);
    }
  }
}

void backward_weights(const Shape& s, int64_t block_rows, Random& random) {
  const int64_t blocks = (s.rows + block_rows - 1) / block_rows, count = int64_t{s.in} * s.out;
  const int64_t stride = count + random.below(5);
  const Floats dz(test::uniform(s.rows * s.out, random)), a(test::uniform(s.rows * s.in, random));
  const Floats gradients(blocks * stride);
  test::run_in_both_orders(gradients, [&] {
    rs::gpu::matmul_backward_weights(dz.get(), a.get(), s.rows, block_rows, s.in, s.out, gradients.get(), stride, nullptr);
  });
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t end = std::min(s.rows, (b + 1) * block_rows);
    for (int64_t j = 0; j < s.out; ++j) {
      for (int64_t i = 0; i < s.in; ++i) {
        Sum sum;
        for (int64_t r = b * block_rows; r < end; ++r) sum.add(dz[r * s.out + j], a[r * s.in + i]);
        check(gradients[b * stride + j * s.in + i], sum, "dW", j, i);
      }
    }
    for (int64_t i = count; i < stride; ++i) CHECK(test::bits_of(gradients[b * stride + i]) == ~0u, "wrote between blocks");
  }
}

// A sum over many rows, all of one sign, is as exact as one over few.
void long_sums(Random& random) {
  constexpr int64_t kRows = 20011;
  const Floats dz(test::uniform(kRows, random)), a(test::uniform(2 * kRows, random)), gradient(2);
  for (int64_t i = 0; i < kRows; ++i) dz[i] += 1;
  for (int64_t i = 0; i < 2 * kRows; ++i) a[i] += 1;
  rs::gpu::matmul_backward_weights(dz.get(), a.get(), kRows, kRows, 2, 1, gradient.get(), 2, nullptr);
  for (int64_t i = 0; i < 2; ++i) {
    double sum = 0;
    for (int64_t r = 0; r < kRows; ++r) sum += static_cast<double>(dz[r]) * a[2 * r + i];
    const double off = std::fabs(gradient[i] - sum) / sum;
    CHECK(off <= 4e-7, "off by %g", off);
  }
}

}  // namespace

int main() {
  Random random(11);
  // Around the three tile sizes, whole and ragged.
  std::vector<Shape> shapes = {{64, 64, 64}, {128, 4, 128}, {17, 16, 16}, {16, 17, 1}, {1, 1, 1}, {33, 1, 70}, {2, 200, 3}};
  for (const int64_t rows : test::kCounts) {
    shapes.push_back({rows, static_cast<int>(1 + random.below(80)), static_cast<int>(1 + random.below(80))});
    shapes.push_back({rows, static_cast<int>(1 + random.below(20)), static_cast<int>(1 + random.below(20))});
  }
  for (const Shape& shape : shapes) {
    forward(shape, random);
    backward_inputs(shape, random);
    for (const int64_t block_rows : {32, 64, 1024}) backward_weights(shape, block_rows, random);
  }
  backward_weights({1500, 3, 2}, 2048, random);  // more than one chain
  long_sums(random);
  std::printf("%zu shapes, at most %.2g of the bound\n", shapes.size(), worst);
  return 0;
}
