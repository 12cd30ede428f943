// Activations and their gradients, against float64, over the whole range and at its odd ends.
#include "activation.h"

#include <algorithm>
#include <cfloat>
#include <cstdio>

#include "kernel_test.h"

using test::Floats;

namespace {

constexpr rs_activation kAll[] = {RS_IDENTITY, RS_RELU, RS_TANH, RS_SIGMOID};
constexpr double kUlps = 8;

double activate(rs_activation activation, double z) {
  switch (activation) {
    case RS_RELU: return z < 0 ? 0 : z;
    case RS_TANH: return std::tanh(z);
    case RS_SIGMOID: return 1 / (1 + std::exp(-z));
    default: return z;
  }
}

// f'(z), where h = f(z).
double derivative(rs_activation activation, double h) {
  switch (activation) {
    case RS_RELU: return h <= 0 ? 0 : 1;
    case RS_TANH: return 1 - h * h;
    case RS_SIGMOID: return h * (1 - h);
    default: return 1;
  }
}

// Inputs of every size, and of most sizes that matter.
std::vector<float> inputs(int64_t count, test::Random& random) {
  std::vector<float> z;
  for (const float odd : {0.0f, -0.0f, 1.0f, -1.0f, 0.625f, -0.625f, FLT_MIN, -FLT_MIN, FLT_MAX, -FLT_MAX, 88.0f, -88.0f,
                          104.0f, -104.0f, INFINITY, -INFINITY}) {
    z.push_back(odd);
  }
  while (static_cast<int64_t>(z.size()) < count) {
    z.push_back(random.sign() * std::exp2(random.uniform(-30, 7)));
  }
  z.resize(static_cast<size_t>(count));
  return z;
}

double ulps(float actual, double expected) {
  const double size = std::max<double>(std::fabs(expected), FLT_MIN);
  return std::fabs(actual - expected) / (size * 2 * test::kUnit);
}

double worst = 0;

void forward(rs_activation activation, const std::vector<float>& z) {
  const Floats h(z);
  test::run_in_both_orders(h, [&] { rs::gpu::activation_forward(activation, h.size(), h.get(), nullptr); });
  for (size_t i = 0; i < z.size(); ++i) {
    const float actual = h[static_cast<int64_t>(i)];
    const double expected = activate(activation, z[i]);
    if (std::isinf(expected)) {
      CHECK(actual == expected, "f(%g) is %g", z[i], actual);
      continue;
    }
    // Below -87 the sigmoid stays at its value there, less than 1e-37.
    const bool tiny = activation == RS_SIGMOID && z[i] < -87 && actual >= 0 && actual < 2e-38f;
    const double off = tiny ? 0 : ulps(actual, expected);
    CHECK(off <= kUlps, "activation %d of %a is %a, not %a", activation, z[i], actual, expected);
    worst = std::max(worst, off);
  }
}

void backward(rs_activation activation, const std::vector<float>& z, test::Random& random) {
  std::vector<float> values;
  for (const float value : z) {
    const float h = static_cast<float>(activate(activation, value));
    values.push_back(std::isfinite(h) ? h : 0.5f);
  }
  const Floats h(values), dh(test::uniform(h.size(), random));
  test::run_in_both_orders(h, [&] { rs::gpu::activation_backward(activation, dh.get(), h.size(), h.get(), nullptr); });
  for (int64_t i = 0; i < h.size(); ++i) {
    const double expected = dh[i] * derivative(activation, values[static_cast<size_t>(i)]);
    // 1 - h^2 and 1 - h cancel near 1: their error is of the size of 1.
    CHECK(std::fabs(h[i] - expected) <= 4 * test::kUnit * std::fabs(dh[i]), "gradient %d at h = %a is %a, not %a",
          activation, values[static_cast<size_t>(i)], h[i], expected);
  }
}

void keeps_nan(rs_activation activation) {
  const Floats h(std::vector<float>{NAN, -NAN}), dh(std::vector<float>{1, 1});
  rs::gpu::activation_forward(activation, 2, h.get(), nullptr);
  CHECK(std::isnan(h[0]) && std::isnan(h[1]), "activation %d of NaN is %g, %g", activation, h[0], h[1]);
  rs::gpu::activation_backward(activation, dh.get(), 2, h.get(), nullptr);
  // Where the gradient does not depend on h there is no NaN to keep.
  if (activation == RS_TANH || activation == RS_SIGMOID) CHECK(std::isnan(h[0]), "gradient %d at NaN is %g", activation, h[0]);
  const Floats back(std::vector<float>{0.5f}), nan(std::vector<float>{NAN});
  rs::gpu::activation_backward(activation, nan.get(), 1, back.get(), nullptr);
  CHECK(std::isnan(back[0]), "gradient %d times NaN is %g", activation, back[0]);
}

}  // namespace

int main() {
  test::Random random(13);
  for (const rs_activation activation : kAll) {
    for (const int64_t count : {0, 1, 2, 257, 1000}) {
      const std::vector<float> z = inputs(count, random);
      forward(activation, z);
      backward(activation, z, random);
    }
    keeps_nan(activation);
  }
  std::printf("within %.2g ulp\n", worst);
  return 0;
}
