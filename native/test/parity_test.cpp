// AVX2 and AVX-512 give the same bits in every function of the table; baseline, which rounds each
// product, comes close.
#include <cmath>
#include <cstdio>
#include <functional>

#include "bits.h"
#include "check.h"
#include "hard_sums.h"
#include "instruction_sets.h"
#include "network_case.h"
#include "optimizer.h"
#include "optimizers.h"

using rs::cpu::Kernels;
using rs::cpu::Rows;
using test::GuardedArray;
using test::NetworkCase;
using test::Random;

namespace {

constexpr double kBaselineBound = 2e-6;

using Values = std::vector<double>;  // floats, or sums that are kept in double
using Function = std::function<Values(const Kernels&)>;

double worst_baseline = 0;

Values to_values(const GuardedArray& array, int64_t count) { return Values(array.get(), array.get() + count); }

bool same(double a, double b) { return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b)); }

// Relative, except where almost nothing is left of values near 1.
double distance(const Values& a, const Values& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / std::max(size, 1.0));
}

void same_bits(const std::string& name, const Function& f) {
  const Values a = f(rs::cpu::avx2::kKernels), b = f(rs::cpu::avx512::kKernels);
  CHECK(a.size() == b.size(), "%s", name.c_str());
  for (size_t i = 0; i < a.size(); ++i) CHECK(same(a[i], b[i]), "%s: value %zu is %a and %a", name.c_str(), i, a[i], b[i]);
}

void close_to_baseline(const std::string& name, const Function& f) {
  const double off = distance(f(rs::cpu::baseline::kKernels), f(rs::cpu::avx2::kKernels));
  CHECK(off <= kBaselineBound, "%s: baseline off by %g", name.c_str(), off);
  worst_baseline = std::max(worst_baseline, off);
}

void compare(const std::string& name, const Function& f) {
  if (test::has_avx512()) same_bits(name, f);
  if (test::has_avx2()) close_to_baseline(name, f);
}

// ---- passes ----

using Gradient = decltype(Kernels::block_gradient);
using Loss = decltype(Kernels::block_loss);
using Predict = decltype(Kernels::block_predict);

Function gradient_of(const NetworkCase& c, const Rows& rows, int64_t count, Gradient Kernels::*kernel) {
  return [=, &c](const Kernels& kernels) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    GuardedArray gradient(rs::cpu::gradient_length(c.network.parameter_count));
    (kernels.*kernel)(c.pass(), rows, count, workspace.get(), gradient.get());
    return to_values(gradient, c.network.parameter_count + 1);
  };
}

Function loss_of(const NetworkCase& c, const Rows& rows, int64_t count, Loss Kernels::*kernel) {
  return [=, &c](const Kernels& kernels) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    return Values{(kernels.*kernel)(c.pass(), rows, count, workspace.get())};
  };
}

Function predictions_of(const NetworkCase& c, const Rows& rows, int64_t count, Predict Kernels::*kernel) {
  return [=, &c](const Kernels& kernels) {
    GuardedArray workspace(kernels.workspace_length(c.view()));
    GuardedArray y(count * c.network.outputs());
    (kernels.*kernel)(c.pass(), {rows.x, nullptr, rows.first, rows.shuffle}, count, workspace.get(), y.get());
    return to_values(y, y.size());
  };
}

void passes(const NetworkCase& c, int64_t first) {
  const int64_t count = c.rows - first;
  const rs::Shuffle shuffle(1, 2, c.rows);
  for (const rs::Shuffle* order : {static_cast<const rs::Shuffle*>(nullptr), &shuffle}) {
    const Rows rows = {c.x.get(), c.y.get(), first, order};
    const std::string name = c.name() + ", " + std::to_string(count) + " rows";
    compare(name + ", block_gradient", gradient_of(c, rows, count, &Kernels::block_gradient));
    compare(name + ", block_loss", loss_of(c, rows, count, &Kernels::block_loss));
    compare(name + ", block_predict", predictions_of(c, rows, count, &Kernels::block_predict));
    if (count > test::kMostRowPathRows) continue;
    compare(name + ", row_gradient", gradient_of(c, rows, count, &Kernels::row_gradient));
    compare(name + ", row_loss", loss_of(c, rows, count, &Kernels::row_loss));
    compare(name + ", row_predict", predictions_of(c, rows, count, &Kernels::row_predict));
  }
}

// Inputs of any size, denormal, infinite and NaN ones too: here only the same bits count.
void passes_with_any_inputs(NetworkCase& c, Random& random) {
  if (!test::has_avx512()) return;
  for (int64_t i = 0; i < c.x.size(); ++i) c.x[i] = test::from_bits(static_cast<uint32_t>(random.bits()));
  const Rows rows = {c.x.get(), c.y.get(), 0, nullptr};
  const std::string name = c.name() + ", any inputs";
  same_bits(name, gradient_of(c, rows, c.rows, &Kernels::block_gradient));
  same_bits(name, gradient_of(c, rows, c.rows, &Kernels::row_gradient));
  same_bits(name, predictions_of(c, rows, c.rows, &Kernels::block_predict));
}

// ---- the rest of the table ----

void updates() {
  constexpr int64_t kCount = 64;
  for (const test::NamedOptimizer& named : test::kOptimizers) {
    compare(named.name, [&](const Kernels& kernels) {
      Random random(4);
      rs::Optimizer optimizer(named.settings, kCount);
      GuardedArray parameters(kCount), gradient(kCount);
      for (int64_t i = 0; i < kCount; ++i) parameters[i] = random.uniform(-1, 1);
      for (int step = 0; step < 20; ++step) {
        for (int64_t i = 0; i < kCount; ++i) gradient[i] = random.uniform(-1, 1);
        const rs::cpu::Update u = optimizer.next_update(0.1);
        kernels.update(u, 0, kCount, gradient.get(), parameters.get(), optimizer.m(), optimizer.v());
      }
      return to_values(parameters, kCount);
    });
  }
}

void small_loops() {
  uint64_t seed = 0;
  for (int32_t inputs : {1, 2, 4, 8, 10, 12, 16}) {
    for (int32_t hidden : {1, 7, 16, 20, 32}) {
      for (rs_activation activation : test::kActivations) {
        const NetworkCase c({inputs, hidden, 1}, activation, 100, ++seed);
        compare(c.name() + ", small_sgd", [&](const Kernels& kernels) {
          const rs::cpu::SmallNetwork* small = kernels.small_network(c.view());
          CHECK(small != nullptr, "%s", kernels.name);
          GuardedArray packed(small->packed_length), parameters(c.network.parameter_count);
          small->pack(c.view(), c.parameters.get(), packed.get());
          double loss_sum = 0;
          float last_loss = 0;
          small->train(c.view(), packed.get(), {c.x.get(), c.y.get(), 0, nullptr}, c.rows, 0.001f, 1.0f, &loss_sum, &last_loss);
          small->unpack(c.view(), packed.get(), parameters.get());
          Values values = to_values(parameters, parameters.size());
          values.push_back(loss_sum / static_cast<double>(c.rows));
          return values;
        });
      }
    }
  }
}

void sums_of_blocks() {
  constexpr int64_t kBlocks = 40, kStride = 256;
  Random random(5);
  GuardedArray gradients(kBlocks * kStride);
  for (int64_t i = 0; i < gradients.size(); ++i) gradients[i] = test::any_finite(random) * 0x1p-20f;
  compare("add_blocks", [&](const Kernels& kernels) {
    GuardedArray sum(kStride);
    kernels.add_blocks(gradients.get(), kStride, kBlocks, 0, kStride, sum.get());
    return to_values(sum, kStride);
  });
}

}  // namespace

int main() {
  test::instruction_sets();  // says which are missing
  Random random(6);
  uint64_t seed = 0;
  for (const std::vector<int32_t>& shape : test::kShapes) {
    for (rs_activation activation : test::kActivations) {
      for (int64_t rows : {1, 5, 17, 130, 300}) passes(NetworkCase(shape, activation, rows + 2, ++seed), 2);
      NetworkCase c(shape, activation, 50, ++seed);
      passes_with_any_inputs(c, random);
    }
  }
  updates();
  small_loops();
  sums_of_blocks();
  std::printf("baseline within %.2g of avx2\n", worst_baseline);
  return 0;
}
