// Sum and step in one launch leave what they leave in two, bit for bit, and apply nothing after a bad loss.
#include "add_blocks_step.h"

#include <cstring>

#include "add_blocks.h"
#include "hard_sums.h"
#include "kernel_test.h"
#include "optimizers.h"

using rs::gpu::StepState;
using test::DeviceArray;
using test::Floats;
using test::Random;

namespace {

constexpr float kGradientScale = 1.0f / 24;

struct Training {
  Floats parameters, m, v;
  DeviceArray<StepState> state;

  Training(const rs_optimizer& settings, const std::vector<float>& start)
      : parameters(start), m(std::vector<float>(start.size())), v(std::vector<float>(start.size())), state(1) {
    state[0] = StepState();
    state[0].settings = settings;
  }
};

bool same(const Training& a, const Training& b) {
  const int64_t count = a.parameters.size();
  const StepState &s = a.state[0], &t = b.state[0];
  return test::first_difference(a.parameters.get(), b.parameters.get(), count) == count &&
         test::first_difference(a.m.get(), b.m.get(), count) == count &&
         test::first_difference(a.v.get(), b.v.get(), count) == count && s.steps == t.steps && s.failed == t.failed &&
         s.loss_sum == t.loss_sum && test::same_bits(s.last_loss, t.last_loss) && s.beta1_power == t.beta1_power &&
         s.beta2_power == t.beta2_power && s.arrived == t.arrived;
}

void check(const test::NamedOptimizer& named, int64_t count, int64_t blocks, Random& random) {
  const auto kind = static_cast<rs_optimizer_kind>(named.settings.kind);
  const int64_t length = (count + 1 + 15) / 16 * 16;
  const std::vector<float> start = test::uniform(count, random);
  Training together(named.settings, start), apart(named.settings, start);
  const Floats block_gradients(blocks * length), gradient(length);
  for (int step = 0; step < 4; ++step) {
    // Gradients that a double holds, and that it does not; the third step's loss is infinite.
    for (int64_t i = 0; i < count; ++i) {
      const test::Series series = i % 7 == 0 ? test::Series::kTies : test::Series::kOrdinary;
      const std::vector<float> values = make_series(series, static_cast<size_t>(blocks), random);
      for (int64_t b = 0; b < blocks; ++b) block_gradients[b * length + i] = values[static_cast<size_t>(b)];
    }
    for (int64_t b = 0; b < blocks; ++b) block_gradients[b * length + count] = step == 2 ? 3e38f : random.uniform(1, 2);
    simt::set_order(step % 2 ? simt::Order::kReverse : simt::Order::kForward);
    rs::gpu::add_blocks_step(kind, kGradientScale, block_gradients.get(), blocks, length, count,
                             together.parameters.get(), together.m.get(), together.v.get(), together.state.get(), nullptr);
    rs::gpu::add_blocks(block_gradients.get(), blocks, length, gradient.get(), nullptr);
    rs::gpu::optimizer_step(kind, kGradientScale, gradient.get(), count, apart.parameters.get(), apart.m.get(),
                            apart.v.get(), apart.state.get(), nullptr);
    CHECK(same(together, apart), "%s, %d parameters, %d blocks, step %d", named.name, static_cast<int>(count),
          static_cast<int>(blocks), step);
  }
  CHECK(together.state[0].failed == (blocks > 1), "%s: a sum of %d huge losses", named.name, static_cast<int>(blocks));
}

}  // namespace

int main() {
  Random random(18);
  for (const test::NamedOptimizer& optimizer : test::kOptimizers) {
    for (const int64_t count : {1, 30, 31, 32, 241}) check(optimizer, count, 1 + random.below(9), random);
  }
  check(test::kOptimizers[0], 241, 100, random);
  return 0;
}
