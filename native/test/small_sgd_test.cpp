// What small networks have of their own gives the bits of the row path, followed by the update where there is one.
#include <cstdio>

#include "bits.h"
#include "blocks.h"
#include "check.h"
#include "instruction_sets.h"
#include "network_case.h"
#include "optimizer.h"
#include "optimizers.h"

using rs::cpu::Kernels;
using rs::cpu::Rows;
using rs::cpu::SmallNetwork;
using test::GuardedArray;
using test::NetworkCase;

namespace {

constexpr int32_t kInputs[] = {1, 2, 4, 8, 10, 12, 16};
constexpr int32_t kHidden[] = {1, 2, 5, 8, 15, 16, 17, 20, 24, 31, 32};

struct State {
  std::vector<float> parameters;
  double loss_sum = 0;
  float last_loss = 0;
  int64_t steps = 0;
};

// Step by step, each on `batch` rows, as the trainer takes any other network.
State plain_steps(
    const Kernels& kernels, const NetworkCase& c, const Rows& rows, int64_t count, double lr, int64_t batch = 1) {
  rs::Optimizer optimizer(test::sgd(lr, 0, false, 0), 0);
  const int64_t parameters = c.network.parameter_count, length = rs::cpu::gradient_length(parameters);
  GuardedArray workspace(kernels.workspace_length(c.view())), gradient(length), padded(length);
  std::fill_n(gradient.get(), length, 0.0f);
  std::fill_n(padded.get(), length, 0.0f);
  std::copy_n(c.parameters.get(), parameters, padded.get());
  const rs::cpu::Pass pass = {c.view(), padded.get(), c.loss_weights.get()};
  State state;
  for (; state.steps < count; ++state.steps) {
    const Rows own = {rows.x, rows.y, rows.first + state.steps * batch, rows.shuffle};
    kernels.row_gradient(pass, own, batch, workspace.get(), gradient.get());
    state.last_loss = gradient[parameters];
    if (!std::isfinite(state.last_loss)) break;
    state.loss_sum += state.last_loss;
    gradient[parameters] = 0;
    kernels.update(optimizer.next_update(1 / static_cast<double>(batch)), 0, length, gradient.get(), padded.get(), nullptr, nullptr);
  }
  state.parameters.assign(padded.get(), padded.get() + parameters);
  return state;
}

// In one call and some more, packed and unpacked.
State small_steps(const SmallNetwork& small, const NetworkCase& c, const Rows& rows, int64_t count, double lr) {
  GuardedArray packed(small.packed_length), flat(c.network.parameter_count);
  small.pack(c.view(), c.parameters.get(), packed.get());
  State state;
  for (int64_t part = 1; state.steps < count; part = count) {
    const Rows rest = {rows.x, rows.y, rows.first + state.steps, rows.shuffle};
    const int64_t wanted = std::min(part, count - state.steps);
    const int64_t done = small.train(c.view(), packed.get(), rest, wanted, static_cast<float>(lr), c.loss_weights[0],
                                   &state.loss_sum, &state.last_loss);
    state.steps += done;
    if (done < wanted) break;
  }
  small.unpack(c.view(), packed.get(), flat.get());
  state.parameters.assign(flat.get(), flat.get() + flat.size());
  return state;
}

// Steps on several rows each.
State small_batches(
    const SmallNetwork& small, const NetworkCase& c, const Rows& rows, int64_t count, double lr, int64_t batch) {
  GuardedArray packed(small.packed_length), flat(c.network.parameter_count);
  small.pack(c.view(), c.parameters.get(), packed.get());
  State state;
  for (; state.steps < count; ++state.steps) {
    const Rows own = {rows.x, rows.y, rows.first + state.steps * batch, rows.shuffle};
    state.last_loss = small.train_batch(c.view(), packed.get(), own, batch, static_cast<float>(lr), c.loss_weights[0]);
    if (!std::isfinite(state.last_loss)) break;
    state.loss_sum += state.last_loss;
  }
  small.unpack(c.view(), packed.get(), flat.get());
  state.parameters.assign(flat.get(), flat.get() + flat.size());
  return state;
}

void compare(const State& actual, const State& expected, const std::string& name) {
  CHECK(actual.steps == expected.steps, "%s: %lld steps, not %lld", name.c_str(), static_cast<long long>(actual.steps),
        static_cast<long long>(expected.steps));
  CHECK(actual.loss_sum == expected.loss_sum, "%s: loss sum %a is not %a", name.c_str(), actual.loss_sum, expected.loss_sum);
  CHECK(test::same_bits(actual.last_loss, expected.last_loss), "%s: last loss %a is not %a", name.c_str(),
        actual.last_loss, expected.last_loss);
  const int64_t count = static_cast<int64_t>(expected.parameters.size());
  const int64_t i = test::first_difference(actual.parameters.data(), expected.parameters.data(), count);
  CHECK(i == count, "%s: parameter %lld differs", name.c_str(), static_cast<long long>(i));
}

void trains(const Kernels& kernels, const NetworkCase& c) {
  const SmallNetwork* small = kernels.small_network(c.view());
  const std::string name = c.name() + " " + kernels.name;
  CHECK(small != nullptr, "%s has no loop", name.c_str());
  const int64_t first = 2, count = c.rows - first;
  const rs::Shuffle shuffle(5, 1, c.rows);
  for (const rs::Shuffle* order : {static_cast<const rs::Shuffle*>(nullptr), &shuffle}) {
    const Rows rows = {c.x.get(), c.y.get(), first, order};
    compare(small_steps(*small, c, rows, count, 0.01), plain_steps(kernels, c, rows, count, 0.01), name);
    for (int64_t batch : {1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 31}) {
      const int64_t steps = std::min<int64_t>(10, count / batch);
      compare(small_batches(*small, c, rows, steps, 0.01, batch), plain_steps(kernels, c, rows, steps, 0.01, batch),
              name + " batch " + std::to_string(batch));
    }
  }
}

// The gradient of any loss is that of the row path.
void sums_gradients(const Kernels& kernels, const NetworkCase& c, const rs::Loss& loss, const float* sample_weights) {
  const SmallNetwork* small = kernels.small_network(c.view());
  const int64_t length = rs::cpu::gradient_length(c.network.parameter_count), count = c.network.parameter_count + 2;
  GuardedArray workspace(kernels.workspace_length(c.view())), packed(small->packed_length), actual(length), expected(length);
  small->pack(c.view(), c.parameters.get(), packed.get());
  rs::cpu::Pass pass = c.pass();
  pass.loss = loss;
  pass.sample_weights = sample_weights;
  const rs::Shuffle shuffle(9, 1, c.rows);
  for (int64_t rows : {1, 2, 7, 15, 16, 17, 31}) {
    const Rows own = {c.x.get(), c.y.get(), 3, &shuffle};
    kernels.row_gradient(pass, own, rows, workspace.get(), expected.get());
    small->gradient(pass, packed.get(), own, rows, actual.get());
    const int64_t i = test::first_difference(actual.get(), expected.get(), count);
    CHECK(i == count, "%s %s, loss %d, %lld rows: value %lld of the gradient differs", c.name().c_str(), kernels.name,
          loss.kind, static_cast<long long>(rows), static_cast<long long>(i));
  }
}

void sums_gradients(const Kernels& kernels, const NetworkCase& c) {
  GuardedArray weights(c.rows);
  for (int64_t r = 0; r < c.rows; ++r) weights[r] = static_cast<float>(r % 5) / 2;
  for (rs_loss_kind kind : {RS_MSE, RS_MAE, RS_HUBER, RS_BCE}) {
    sums_gradients(kernels, c, {kind, 0.7f}, nullptr);
    sums_gradients(kernels, c, {kind, 0.7f}, weights.get());
  }
}

// The learning rate is so high that the loss soon overflows.
void stops_before_the_loss_overflows(const Kernels& kernels, const NetworkCase& c) {
  const std::string name = c.name() + " " + kernels.name + " overflowing";
  const Rows rows = {c.x.get(), c.y.get(), 0, nullptr};
  const State actual = small_steps(*kernels.small_network(c.view()), c, rows, c.rows, 1e6);
  compare(actual, plain_steps(kernels, c, rows, c.rows, 1e6), name);
  CHECK(actual.steps < c.rows && !std::isfinite(actual.last_loss), "%s took %lld steps", name.c_str(),
        static_cast<long long>(actual.steps));
  CHECK(std::isfinite(actual.loss_sum), "%s: loss sum", name.c_str());
}

void stops_before_a_row_of_nan(const Kernels& kernels, NetworkCase& c) {
  const int64_t bad = 9;
  GuardedArray y(c.y.get(), c.y.size());
  y[bad] = NAN;
  const Rows rows = {c.x.get(), y.get(), 0, nullptr};
  const State actual = small_steps(*kernels.small_network(c.view()), c, rows, c.rows, 0.01);
  compare(actual, plain_steps(kernels, c, rows, c.rows, 0.01), c.name() + " " + kernels.name + " NaN");
  CHECK(actual.steps == bad, "%lld steps", static_cast<long long>(actual.steps));
  const int64_t batch = 4, steps = c.rows / batch;
  const State batches = small_batches(*kernels.small_network(c.view()), c, rows, steps, 0.01, batch);
  compare(batches, plain_steps(kernels, c, rows, steps, 0.01, batch), c.name() + " " + kernels.name + " NaN in a batch");
  CHECK(batches.steps == bad / batch, "%lld steps", static_cast<long long>(batches.steps));
}

void knows_which_shapes_it_has(const Kernels& kernels) {
  for (const std::vector<int32_t>& shape :
       {std::vector<int32_t>{10, 1}, {3, 20, 1}, {10, 33, 1}, {10, 20, 2}, {10, 20, 20, 1}, {17, 4, 1}}) {
    const NetworkCase c(shape, RS_TANH, 1, 1);
    CHECK(kernels.small_network(c.view()) == nullptr, "%s %s has a loop", c.name().c_str(), kernels.name);
  }
}

}  // namespace

int main() {
  const std::vector<const Kernels*> sets = test::instruction_sets();
  for (const Kernels* kernels : sets) knows_which_shapes_it_has(*kernels);
  int cases = 0;
  for (int32_t inputs : kInputs) {
    for (int32_t hidden : kHidden) {
      for (rs_activation activation : test::kActivations) {
        NetworkCase c({inputs, hidden, 1}, activation, 300, static_cast<uint64_t>(++cases));
        for (const Kernels* kernels : sets) {
          trains(*kernels, c);
          sums_gradients(*kernels, c);
          stops_before_a_row_of_nan(*kernels, c);
          // A saturated network keeps its loss finite.
          if (activation == RS_IDENTITY || activation == RS_RELU) stops_before_the_loss_overflows(*kernels, c);
        }
      }
    }
  }
  std::printf("%d networks\n", cases);
  return 0;
}
