// The gradient and the loss of both paths, of every instruction set, against float64.
//
// All that a kernel writes to is full of NaN before the call, and every array ends at a page that
// nobody may touch.
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
using test::relative_error;

namespace {

constexpr double kGradientBound = 2e-6, kLossBound = 1e-6;

double worst_gradient = 0, worst_loss = 0;

struct Expected {
  std::vector<double> gradient;
  double loss = 0;
};

Expected reference(const NetworkCase& c, const Rows& rows, int64_t count) {
  Expected expected;
  expected.gradient.resize(static_cast<size_t>(c.network.parameter_count));
  test::ReferenceNetwork network(c.network, c.parameters.get());
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = rows.first + i;
    if (rows.shuffle) rows.shuffle->map(&row, 1);
    expected.loss += network.backward(
        &c.x[row * c.network.inputs()], &c.y[row * c.network.outputs()], c.loss_weights.get(), expected.gradient);
  }
  return expected;
}

void compare(const NetworkCase& c, const float* gradient, const Expected& expected, const std::string& name) {
  const double error = relative_error(gradient, expected.gradient);
  CHECK(error <= kGradientBound, "%s: gradient off by %g", name.c_str(), error);
  const double loss_error = std::fabs(gradient[c.network.parameter_count] / expected.loss - 1);
  CHECK(loss_error <= kLossBound, "%s: loss off by %g", name.c_str(), loss_error);
  worst_gradient = std::max(worst_gradient, error);
  worst_loss = std::max(worst_loss, loss_error);
}

void check(const Kernels& kernels, const NetworkCase& c, const Rows& rows, int64_t count, const Expected& expected) {
  const std::string name = c.name() + " " + kernels.name + ", " + std::to_string(count) + " rows" +
                           (rows.shuffle ? ", shuffled" : "");
  const auto run = [&](auto kernel, const std::string& path) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    GuardedArray gradient(rs::cpu::gradient_length(c.network.parameter_count));
    kernel(c.pass(), rows, count, workspace.get(), gradient.get());
    compare(c, gradient.get(), expected, name + path);
  };
  run(kernels.block_gradient, ", batch path");
  if (count <= test::kMostRowPathRows) run(kernels.row_gradient, ", row path");
}

}  // namespace

int main() {
  const std::vector<const Kernels*> sets = test::instruction_sets();
  int cases = 0;
  for (const std::vector<int32_t>& shape : test::kShapes) {
    for (rs_activation activation : test::kActivations) {
      for (int64_t count : test::kRowCounts) {
        const int64_t first = cases % 3;
        const NetworkCase c(shape, activation, first + count, static_cast<uint64_t>(++cases));
        const rs::Shuffle shuffle(7, static_cast<uint64_t>(cases), c.rows);
        for (const rs::Shuffle* order : {static_cast<const rs::Shuffle*>(nullptr), &shuffle}) {
          const Rows rows = {c.x.get(), c.y.get(), first, order};
          const Expected expected = reference(c, rows, count);
          for (const Kernels* kernels : sets) check(*kernels, c, rows, count, expected);
        }
      }
    }
  }
  std::printf("%d cases, gradients within %.2g, losses within %.2g\n", cases, worst_gradient, worst_loss);
  return 0;
}
