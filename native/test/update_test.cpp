// A hundred updates of each optimizer, of every instruction set, against PyTorch's formulas in float64.
#include <cmath>
#include <cstdio>

#include "check.h"
#include "guarded_array.h"
#include "instruction_sets.h"
#include "optimizer.h"
#include "optimizers.h"
#include "random.h"

using rs::cpu::Kernels;
using test::GuardedArray;
using test::NamedOptimizer;

namespace {

// Of the way that the parameters have gone.
constexpr double kBound = 2e-6;
constexpr int64_t kCount = 64, kBegin = 16, kEnd = 48;  // only a part is updated
constexpr int kSteps = 100;
constexpr double kGradientScale = 1.0 / 24;

// torch.optim.SGD, Adam and AdamW, one parameter.
class ReferenceOptimizer {
 public:
  ReferenceOptimizer(const rs_optimizer& o, double start) : o_(o), p_(start) {}

  double parameter() const { return p_; }

  void step(double g, double lr) {
    ++t_;
    if (o_.kind == RS_ADAMW) {
      p_ -= lr * o_.weight_decay * p_;
    } else {
      g += o_.weight_decay * p_;
    }
    p_ -= lr * (o_.kind == RS_SGD ? sgd(g) : adam(g));
  }

 private:
  double sgd(double g) {
    if (o_.momentum == 0) return g;
    m_ = t_ == 1 ? g : o_.momentum * m_ + g;
    return o_.nesterov ? g + o_.momentum * m_ : m_;
  }

  double adam(double g) {
    m_ = o_.beta1 * m_ + (1 - o_.beta1) * g;
    v_ = o_.beta2 * v_ + (1 - o_.beta2) * g * g;
    const double mean = m_ / (1 - std::pow(o_.beta1, t_)), square = v_ / (1 - std::pow(o_.beta2, t_));
    return mean / (std::sqrt(square) + o_.eps);
  }

  rs_optimizer o_;
  double p_, m_ = 0, v_ = 0;
  int t_ = 0;
};

double worst = 0;

// Learning rates change halfway, as a schedule would do.
double learning_rate(const rs_optimizer& o, int step) { return step < kSteps / 2 ? o.lr : o.lr / 2; }

// ||engine - reference|| / ||reference - start||
double error(const GuardedArray& parameters, const std::vector<float>& start, const std::vector<ReferenceOptimizer>& all) {
  double difference = 0, way = 0;
  for (int64_t i = kBegin; i < kEnd; ++i) {
    const double expected = all[static_cast<size_t>(i)].parameter();
    difference += std::pow(parameters[i] - expected, 2);
    way += std::pow(expected - start[static_cast<size_t>(i)], 2);
  }
  return std::sqrt(difference / way);
}

void check(const Kernels& kernels, const NamedOptimizer& named) {
  test::Random random(3);
  rs::Optimizer optimizer(named.settings, kCount);
  GuardedArray parameters(kCount), gradient(kCount);
  std::vector<float> start;
  std::vector<ReferenceOptimizer> references;
  for (int64_t i = 0; i < kCount; ++i) {
    start.push_back(parameters[i] = random.uniform(-1, 1));
    references.emplace_back(named.settings, parameters[i]);
  }
  for (int step = 0; step < kSteps; ++step) {
    const double lr = learning_rate(named.settings, step);
    optimizer.set_learning_rate(lr);
    for (int64_t i = 0; i < kCount; ++i) {
      gradient[i] = random.uniform(-10, 10) + static_cast<float>(i % 8);
      references[static_cast<size_t>(i)].step(gradient[i] * kGradientScale, lr);
    }
    const rs::cpu::Update u = optimizer.next_update(kGradientScale);
    kernels.update(u, kBegin, kEnd, gradient.get(), parameters.get(), optimizer.m(), optimizer.v());
  }
  for (int64_t i = 0; i < kCount; ++i) {
    const bool inside = i >= kBegin && i < kEnd;
    CHECK(inside || parameters[i] == start[static_cast<size_t>(i)], "%s, %s: parameter %d is not its own", kernels.name,
          named.name, static_cast<int>(i));
  }
  const double off = error(parameters, start, references);
  CHECK(off <= kBound, "%s, %s: off by %g", kernels.name, named.name, off);
  worst = std::max(worst, off);
}

// After a reset an optimizer does what a new one does.
void forgets_its_steps(const Kernels& kernels, const NamedOptimizer& named) {
  rs::Optimizer fresh(named.settings, 16), used(named.settings, 16);
  GuardedArray gradient(16), expected(16), actual(16);
  for (int64_t i = 0; i < 16; ++i) gradient[i] = expected[i] = actual[i] = static_cast<float>(i + 1);
  GuardedArray elsewhere(gradient.get(), 16);
  kernels.update(used.next_update(1), 0, 16, gradient.get(), elsewhere.get(), used.m(), used.v());
  used.reset();
  kernels.update(used.next_update(1), 0, 16, gradient.get(), actual.get(), used.m(), used.v());
  kernels.update(fresh.next_update(1), 0, 16, gradient.get(), expected.get(), fresh.m(), fresh.v());
  for (int64_t i = 0; i < 16; ++i) CHECK(actual[i] == expected[i], "%s, %s: a step was kept", kernels.name, named.name);
}

}  // namespace

int main() {
  for (const Kernels* kernels : test::instruction_sets()) {
    for (const NamedOptimizer& optimizer : test::kOptimizers) {
      check(*kernels, optimizer);
      forgets_its_steps(*kernels, optimizer);
    }
  }
  std::printf("%d steps, parameters within %.2g of their way\n", kSteps, worst);
  return 0;
}
