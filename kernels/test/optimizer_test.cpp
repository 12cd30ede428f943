// A hundred steps of each optimizer give the CPU engine's parameters bit for bit, without the host looking at
// them; a loss that is not finite stops them all.
#include "optimizer.h"

#include <cstdio>

#include "engine_update.h"
#include "kernel_test.h"
#include "../../native/src/optimizer.h"
#include "optimizers.h"

using rs::gpu::StepState;
using test::DeviceArray;
using test::Floats;
using test::Random;

namespace {

constexpr int kSteps = 100;
constexpr float kGradientScale = 1.0f / 24;

int64_t padded(int64_t count) { return (count + 15) / 16 * 16; }

struct Trainer {
  rs_optimizer settings;
  int64_t count;
  Floats parameters, gradient, m, v;
  DeviceArray<StepState> state;

  Trainer(const rs_optimizer& settings, const std::vector<float>& start)
      : settings(settings),
        count(static_cast<int64_t>(start.size())),
        parameters(start),
        gradient(count + 1),
        // SGD's first step reads no momentum.
        m(std::vector<float>(start.size(), settings.kind == RS_SGD ? NAN : 0)),
        v(std::vector<float>(start.size())),
        state(1) {
    state[0] = StepState();
    state[0].settings = settings;
  }

  void step() {
    const bool adam = settings.kind != RS_SGD;
    rs::gpu::optimizer_step(static_cast<rs_optimizer_kind>(settings.kind), kGradientScale, gradient.get(), count,
                            parameters.get(), adam || settings.momentum != 0 ? m.get() : nullptr,
                            adam ? v.get() : nullptr, state.get(), nullptr);
  }
};

void equals_the_engine(const test::NamedOptimizer& named, int64_t count, Random& random) {
  const std::vector<float> start = test::uniform(count, random);
  Trainer trainer(named.settings, start);
  rs::Optimizer optimizer(named.settings, padded(count));
  std::vector<float> expected = start, gradient(static_cast<size_t>(padded(count)));
  expected.resize(gradient.size());
  double loss_sum = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double lr = step < kSteps / 2 ? named.settings.lr : named.settings.lr / 2;  // as a schedule would do
    optimizer.set_learning_rate(lr);
    trainer.state[0].settings.lr = lr;
    for (int64_t i = 0; i < count; ++i) {
      trainer.gradient[i] = gradient[static_cast<size_t>(i)] = random.uniform(-10, 10) + static_cast<float>(i % 8);
    }
    const float loss = random.uniform(1, 2);
    loss_sum += loss;
    trainer.gradient[count] = loss;
    simt::set_order(step % 2 ? simt::Order::kReverse : simt::Order::kForward);
    trainer.step();
    test::engine_update(optimizer.next_update(kGradientScale), padded(count), gradient.data(), expected.data(),
                        optimizer.m(), optimizer.v());
    const int64_t same = test::first_difference(trainer.parameters.get(), expected.data(), count);
    CHECK(same == count, "%s, step %d: parameter %d is %a, not %a", named.name, step, static_cast<int>(same),
          trainer.parameters[same], expected[static_cast<size_t>(same)]);
    CHECK(trainer.state[0].last_loss == loss, "%s: the loss is %g, not %g", named.name, trainer.state[0].last_loss, loss);
  }
  CHECK(trainer.state[0].steps == kSteps && !trainer.state[0].failed, "%s", named.name);
  CHECK(trainer.state[0].loss_sum == loss_sum, "%s: %.17g is not %.17g", named.name, trainer.state[0].loss_sum, loss_sum);
}

void stops_at_a_bad_loss(const test::NamedOptimizer& named, float bad, Random& random) {
  Trainer trainer(named.settings, test::uniform(300, random));
  const auto step = [&](float loss) {
    for (int64_t i = 0; i < 300; ++i) trainer.gradient[i] = random.uniform(-1, 1);
    trainer.gradient[300] = loss;
    trainer.step();
  };
  step(2);
  const std::vector<float> parameters = trainer.parameters.values(), m = trainer.m.values(), v = trainer.v.values();
  step(bad);
  step(3);  // as in a graph that was already under way
  const StepState& s = trainer.state[0];
  CHECK(trainer.parameters.values() == parameters && trainer.v.values() == v, "%s", named.name);
  CHECK(test::first_difference(trainer.m.get(), m.data(), 300) == 300, "%s", named.name);
  CHECK(s.failed == 1 && s.steps == 1 && s.loss_sum == 2, "%s: %d, %d steps", named.name, s.failed, static_cast<int>(s.steps));
  CHECK(test::same_bits(s.last_loss, bad), "%s: the loss is %g, not %g", named.name, s.last_loss, bad);
}

}  // namespace

int main() {
  if (!test::has_avx2()) {
    std::printf("this processor has no AVX2, so the CPU engine rounds in another way\n");
    return 77;
  }
  Random random(17);
  for (const test::NamedOptimizer& optimizer : test::kOptimizers) {
    for (const int64_t count : {1, 241, 256, 257, 1000}) equals_the_engine(optimizer, count, random);
    for (const float bad : {NAN, INFINITY, -INFINITY}) stops_at_a_bad_loss(optimizer, bad, random);
  }
  return 0;
}
