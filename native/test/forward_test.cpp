// Predictions and losses of both paths, of every instruction set, against float64.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "check.h"
#include "instruction_sets.h"
#include "network_case.h"

using rs::cpu::Kernels;
using rs::cpu::Rows;
using test::GuardedArray;
using test::NetworkCase;

namespace {

constexpr double kPredictionBound = 1e-6, kLossBound = 1e-6;

double worst_prediction = 0, worst_loss = 0;

struct Expected {
  std::vector<double> y;
  double largest = 0;  // of |y|
  double loss = 0;
};

Expected reference(const NetworkCase& c) {
  Expected expected;
  test::ReferenceNetwork network(c.network, c.parameters.get());
  for (int64_t r = 0; r < c.rows; ++r) {
    const std::vector<double>& outputs = network.forward(&c.x[r * c.network.inputs()]);
    for (size_t o = 0; o < outputs.size(); ++o) {
      const double e = outputs[o] - c.y[r * c.network.outputs() + static_cast<int64_t>(o)];
      expected.loss += c.loss_weights[static_cast<int64_t>(o)] * e * e;
      expected.y.push_back(outputs[o]);
      expected.largest = std::max(expected.largest, std::fabs(outputs[o]));
    }
  }
  return expected;
}

void check(const Kernels& kernels, const NetworkCase& c, const Expected& expected) {
  const std::string name = c.name() + " " + kernels.name + ", " + std::to_string(c.rows) + " rows";
  const auto predict = [&](auto kernel) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    GuardedArray y(c.y.size());
    kernel(c.pass(), {c.x.get(), nullptr, 0, nullptr}, c.rows, workspace.get(), y.get());
    for (int64_t i = 0; i < y.size(); ++i) {
      const double error = std::fabs(y[i] - expected.y[static_cast<size_t>(i)]) / std::max(1.0, expected.largest);
      CHECK(error <= kPredictionBound, "%s: output %lld off by %g", name.c_str(), static_cast<long long>(i), error);
      worst_prediction = std::max(worst_prediction, error);
    }
  };
  const auto loss = [&](auto kernel) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    const double sum = kernel(c.pass(), {c.x.get(), c.y.get(), 0, nullptr}, c.rows, workspace.get());
    const double error = std::fabs(sum / expected.loss - 1);
    CHECK(error <= kLossBound, "%s: loss off by %g", name.c_str(), error);
    worst_loss = std::max(worst_loss, error);
  };
  predict(kernels.block_predict);
  loss(kernels.block_loss);
  if (c.rows > test::kMostRowPathRows) return;
  predict(kernels.row_predict);
  loss(kernels.row_loss);
}

}  // namespace

int main() {
  const std::vector<const Kernels*> sets = test::instruction_sets();
  int cases = 0;
  for (const std::vector<int32_t>& shape : test::kShapes) {
    for (rs_activation activation : test::kActivations) {
      for (int64_t rows : test::kRowCounts) {
        const NetworkCase c(shape, activation, rows, static_cast<uint64_t>(++cases));
        const Expected expected = reference(c);
        for (const Kernels* kernels : sets) check(*kernels, c, expected);
      }
    }
  }
  std::printf("%d cases, predictions within %.2g, losses within %.2g\n", cases, worst_prediction, worst_loss);
  return 0;
}
