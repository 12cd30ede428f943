// tanh and sigmoid of every instruction set against double, over the whole range of float32. The
// kernels' exp has no entry of its own: sigmoid(z) far below 0 is 1 / (1 + exp(-z)), so its error is
// measured there.
//
// A network 1→1→1 with weights 1 and biases -0, which change nothing, shows the bare function.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <vector>

#include "bits.h"
#include "check.h"
#include "instruction_sets.h"
#include "network.h"

using rs::cpu::Kernels;

namespace {

constexpr double kTanhBound = 1.5e-7, kSigmoidBound = 2e-7;

// Smaller sigmoids are not normal floats any more and count as 0.
constexpr double kLeastSigmoidInput = -87.0;

// In float32's order from -infinity to infinity, every so many, and those around interesting places.
std::vector<float> sweep() {
  std::vector<float> values = {0.0f, FLT_TRUE_MIN, FLT_MIN, FLT_MAX, INFINITY};
  for (size_t i = 0, count = values.size(); i < count; ++i) values.push_back(-values[i]);
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1021) {
    const float value = test::from_bits(static_cast<uint32_t>(bits));
    if (!std::isnan(value)) values.push_back(value);
  }
  for (float place : {0.625f, 1.0f, 8.66f, 44.0f, 87.0f, 88.0f, 88.72f, 104.0f}) {
    for (uint32_t bits = test::bits_of(place) - 1000; bits <= test::bits_of(place) + 1000; ++bits) {
      values.push_back(test::from_bits(bits));
      values.push_back(-test::from_bits(bits));
    }
  }
  return values;
}

std::vector<float> apply(const Kernels& kernels, rs_activation activation, const std::vector<float>& z) {
  const int32_t sizes[] = {1, 1, 1};
  const rs::Network network(sizes, 3, activation);
  const float parameters[] = {1.0f, -0.0f, 1.0f, -0.0f}, loss_weights[] = {1.0f};
  const rs::cpu::NetworkView view = {network.layers.data(), 2, activation, network.parameter_count, network.widest};
  std::vector<float> workspace(static_cast<size_t>(kernels.workspace_length(view))), h(z.size());
  kernels.block_predict({view, parameters, loss_weights}, {z.data(), nullptr, 0, nullptr},
                        static_cast<int64_t>(z.size()), workspace.data(), h.data());
  return h;
}

// The largest relative error; denormal results count as if their last bit were FLT_MIN's.
template <typename Exact>
double worst_error(const std::vector<float>& z, const std::vector<float>& h, double least, Exact exact) {
  double worst = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    if (z[i] < least) continue;
    const double expected = exact(z[i]);
    const double error = std::fabs(h[i] - expected) / std::max(std::fabs(expected), double{FLT_MIN});
    CHECK(error <= 1, "f(%a) is %a, not %a", z[i], h[i], expected);  // NaN fails too
    worst = std::max(worst, error);
  }
  return worst;
}

void checks_tanh(const Kernels& kernels, const std::vector<float>& z) {
  const std::vector<float> h = apply(kernels, RS_TANH, z);
  const double worst = worst_error(z, h, -INFINITY, [](double x) { return std::tanh(x); });
  std::printf("%-8s tanh    within %.3g (%.2f ulp of 1)\n", kernels.name, worst, worst / 0x1p-23);
  CHECK(worst <= kTanhBound, "%s: tanh is off by %g", kernels.name, worst);
  for (size_t i = 0; i < h.size(); ++i) CHECK(std::fabs(h[i]) <= 1, "tanh(%a) is %a", z[i], h[i]);

  std::vector<float> negated = z;
  for (float& value : negated) value = -value;
  const std::vector<float> mirrored = apply(kernels, RS_TANH, negated);
  for (size_t i = 0; i < z.size(); ++i) {
    CHECK(mirrored[i] == -h[i], "%s: tanh(%a) is %a, tanh of its opposite %a", kernels.name, z[i], h[i], mirrored[i]);
  }
}

void checks_sigmoid(const Kernels& kernels, const std::vector<float>& z) {
  const std::vector<float> h = apply(kernels, RS_SIGMOID, z);
  const double worst = worst_error(z, h, kLeastSigmoidInput, [](double x) { return 1 / (1 + std::exp(-x)); });
  std::printf("%-8s sigmoid within %.3g (%.2f ulp of 1)\n", kernels.name, worst, worst / 0x1p-23);
  CHECK(worst <= kSigmoidBound, "%s: sigmoid is off by %g", kernels.name, worst);
  for (size_t i = 0; i < z.size(); ++i) {
    CHECK(h[i] >= 0 && h[i] <= 1, "sigmoid(%a) is %a", z[i], h[i]);
    CHECK(z[i] >= kLeastSigmoidInput || h[i] <= 2e-38f, "sigmoid(%a) is %a", z[i], h[i]);
  }
}

void checks_relu(const Kernels& kernels, const std::vector<float>& z) {
  const std::vector<float> h = apply(kernels, RS_RELU, z);
  for (size_t i = 0; i < z.size(); ++i) {
    CHECK(h[i] == (z[i] > 0 ? z[i] : 0.0f), "%s: relu(%a) is %a", kernels.name, z[i], h[i]);
  }
}

void keeps_nan(const Kernels& kernels) {
  const std::vector<float> z = {NAN, -NAN, test::from_bits(0x7F800001)};
  for (rs_activation activation : {RS_IDENTITY, RS_RELU, RS_TANH, RS_SIGMOID}) {
    for (float h : apply(kernels, activation, z)) CHECK(std::isnan(h), "%s, activation %d: %g", kernels.name, activation, h);
  }
}

}  // namespace

int main() {
  const std::vector<float> z = sweep();
  for (const Kernels* kernels : test::instruction_sets()) {
    checks_tanh(*kernels, z);
    checks_sigmoid(*kernels, z);
    checks_relu(*kernels, z);
    keeps_nan(*kernels);
  }
  std::printf("%zu values\n", z.size());
  return 0;
}
