// The layered path on random networks: gradients of blocks within 2e-6 of float64, the same bits for any chunks
// and any part of the blocks, nothing left unwritten; and whole steps with it.
#include "layered.h"

#include <algorithm>
#include <cstdio>

#include "add_blocks.h"
#include "kernel_test.h"
#include "network_case.h"
#include "optimizer.h"

using rs::gpu::Blocks;
using rs::gpu::LayeredPass;
using rs::gpu::Rows;
using test::DeviceArray;
using test::Floats;
using test::NetworkCase;

namespace {

constexpr double kGradientBound = 2e-6, kLossBound = 1e-6, kPredictionBound = 2e-6;

double worst_gradient = 0, worst_loss = 0;

struct Layered {
  const NetworkCase& c;
  Floats parameters, loss_weights, x, y;
  Blocks blocks;
  int64_t length;

  explicit Layered(const NetworkCase& c)
      : c(c),
        parameters(c.parameters.get(), c.parameters.size()),
        loss_weights(c.loss_weights.get(), c.loss_weights.size()),
        x(c.x.get(), c.x.size()),
        y(c.y.get(), c.y.size()),
        blocks(c.rows, c.network.parameter_count),
        length((c.network.parameter_count + 1 + 15) / 16 * 16) {}

  Rows rows() const { return {x.get(), y.get(), 0, {}, false}; }
  int64_t all_in_one() const { return rs::gpu::layered_chunk_rows(c.network, blocks); }

  template <typename Run>
  void with_pass(int64_t chunk_rows, Run run) const {
    const Floats workspace(rs::gpu::layered_workspace_length(c.network, chunk_rows));
    run(LayeredPass{c.network, parameters.get(), loss_weights.get(), workspace.get(), chunk_rows});
  }

  std::vector<float> gradient(const Rows& rows, int64_t chunk_rows, int64_t begin, int64_t end) const {
    const Floats gradients((end - begin) * length);
    with_pass(chunk_rows, [&](const LayeredPass& pass) {
      rs::gpu::layered_gradient(pass, rows, blocks, begin, end, gradients.get(), length, nullptr);
    });
    return gradients.values();
  }
};

std::vector<float> part(const std::vector<float>& values, int64_t begin, int64_t end) {
  return std::vector<float>(values.begin() + begin, values.begin() + end);
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && test::first_difference(a.data(), b.data(), static_cast<int64_t>(a.size())) ==
                                     static_cast<int64_t>(a.size());
}

// Every block against float64.
void is_right(const Layered& l, const std::vector<float>& gradients) {
  const NetworkCase& c = l.c;
  const int64_t parameters = c.network.parameter_count;
  test::ReferenceNetwork reference(c.network, c.parameters.get());
  for (int64_t b = 0; b < l.blocks.count; ++b) {
    std::vector<double> expected(static_cast<size_t>(parameters));
    double loss = 0;
    for (int64_t r = l.blocks.first(b); r < l.blocks.first(b) + l.blocks.size(b); ++r) {
      loss += reference.backward(&c.x[r * c.network.inputs()], &c.y[r * c.network.outputs()], c.loss_weights.get(), expected);
    }
    const float* actual = gradients.data() + b * l.length;
    double difference = 0, size = 0;
    for (int64_t i = 0; i < parameters; ++i) {
      const double e = expected[static_cast<size_t>(i)];
      difference += (actual[i] - e) * (actual[i] - e);
      size += e * e;
    }
    const double off = std::sqrt(difference / size), loss_off = std::fabs(actual[parameters] - loss) / loss;
    CHECK(off <= kGradientBound, "%s, %d rows: off by %g", c.name().c_str(), static_cast<int>(c.rows), off);
    CHECK(loss_off <= kLossBound, "%s, %d rows: loss off by %g", c.name().c_str(), static_cast<int>(c.rows), loss_off);
    for (int64_t i = parameters + 1; i < l.length; ++i) CHECK(test::bits_of(actual[i]) == 0, "padding %d", static_cast<int>(i));
    worst_gradient = std::max(worst_gradient, off);
    worst_loss = std::max(worst_loss, loss_off);
  }
}

// Chunks, parts of the blocks and the order of threads change no bit.
void is_one_and_the_same(const Layered& l, const std::vector<float>& gradients) {
  const int64_t count = l.blocks.count;
  simt::set_order(simt::Order::kReverse);
  CHECK(same(l.gradient(l.rows(), l.blocks.rows, 0, count), gradients), "%s: block by block", l.c.name().c_str());
  simt::set_order(simt::Order::kForward);
  if (count < 2) return;
  CHECK(same(l.gradient(l.rows(), l.all_in_one(), 1, count), part(gradients, l.length, count * l.length)), "from 1 on");
  CHECK(same(l.gradient(l.rows(), 2 * l.blocks.rows, 0, count - 1), part(gradients, 0, (count - 1) * l.length)), "to the last");
}

// Rows in another order, brought together by the kernels or by us.
void follows_the_shuffle(const Layered& l) {
  const rs::Shuffle shuffle(5, 7, l.c.rows);
  const int in = l.c.network.inputs(), out = l.c.network.outputs();
  const Floats x(l.x.size()), y(l.y.size());
  for (int64_t i = 0; i < l.c.rows; ++i) {
    std::copy_n(&l.x[shuffle.at(i) * in], in, &x[i * in]);
    std::copy_n(&l.y[shuffle.at(i) * out], out, &y[i * out]);
  }
  const Rows shuffled = {l.x.get(), l.y.get(), 0, shuffle, true}, ours = {x.get(), y.get(), 0, {}, false};
  const int64_t count = l.blocks.count;
  CHECK(same(l.gradient(shuffled, l.blocks.rows, 0, count), l.gradient(ours, l.all_in_one(), 0, count)), "shuffled");
}

void evaluates(const Layered& l, const std::vector<float>& gradients) {
  const Floats losses(l.blocks.count);
  l.with_pass(l.blocks.rows, [&](const LayeredPass& pass) {
    rs::gpu::layered_loss(pass, l.rows(), l.blocks, 0, l.blocks.count, losses.get(), nullptr);
  });
  for (int64_t b = 0; b < l.blocks.count; ++b) {
    const float expected = gradients[static_cast<size_t>(b * l.length + l.c.network.parameter_count)];
    CHECK(test::same_bits(losses[b], expected), "loss of block %d", static_cast<int>(b));
  }
}

void predicts(const Layered& l) {
  const NetworkCase& c = l.c;
  test::ReferenceNetwork reference(c.network, c.parameters.get());
  const int64_t out = c.network.outputs();
  for (const int64_t chunk_rows : {l.all_in_one(), int64_t{37}}) {
    const Floats predictions(c.rows * out);
    l.with_pass(chunk_rows, [&](const LayeredPass& pass) {
      rs::gpu::layered_predict(pass, {l.x.get(), nullptr, 0, {}, false}, c.rows, predictions.get(), nullptr);
    });
    for (int64_t r = 0; r < c.rows; ++r) {
      const std::vector<double>& expected = reference.forward(&c.x[r * c.network.inputs()]);
      double difference = 0, size = 1;  // predictions are of the size of 1
      for (int64_t o = 0; o < out; ++o) {
        difference = std::max(difference, std::fabs(predictions[r * out + o] - expected[static_cast<size_t>(o)]));
        size = std::max(size, std::fabs(expected[static_cast<size_t>(o)]));
      }
      CHECK(difference <= kPredictionBound * size, "%s: row %d off by %g", c.name().c_str(), static_cast<int>(r), difference);
    }
  }
}

void check(const std::vector<int32_t>& sizes, rs_activation activation, int64_t rows, uint64_t seed) {
  const NetworkCase c(sizes, activation, rows, seed);
  const Layered l(c);
  const std::vector<float> gradients = l.gradient(l.rows(), l.all_in_one(), 0, l.blocks.count);
  is_right(l, gradients);
  is_one_and_the_same(l, gradients);
  if (rows > 0) follows_the_shuffle(l);
  evaluates(l, gradients);
  predicts(l);
}

// Five steps of SGD with momentum, gradient, sum of blocks and update, against float64.
void trains(int64_t rows) {
  constexpr double kLearningRate = 0.01, kMomentum = 0.9;
  const NetworkCase c({10, 20, 1}, RS_TANH, rows, 3);
  const Layered l(c);
  const int64_t count = c.network.parameter_count;
  const Floats gradient(l.length), m(count);
  const DeviceArray<rs::gpu::StepState> state(1);
  state[0] = rs::gpu::StepState();
  state[0].settings.lr = kLearningRate;
  state[0].settings.momentum = kMomentum;
  std::vector<double> momentum(static_cast<size_t>(count)), expected(c.parameters.get(), c.parameters.get() + count);
  for (int step = 0; step < 5; ++step) {
    const Floats blocks(l.gradient(l.rows(), l.all_in_one(), 0, l.blocks.count));
    rs::gpu::add_blocks(blocks.get(), l.blocks.count, l.length, gradient.get(), nullptr);
    rs::gpu::optimizer_step(RS_SGD, static_cast<float>(1.0 / static_cast<double>(rows)), gradient.get(), count,
                   l.parameters.get(), m.get(), nullptr, state.get(), nullptr);

    std::vector<double> sum(static_cast<size_t>(count));
    const std::vector<float> start(expected.begin(), expected.end());
    test::ReferenceNetwork reference(c.network, start.data());
    for (int64_t r = 0; r < rows; ++r) reference.backward(&c.x[r * 10], &c.y[r], c.loss_weights.get(), sum);
    for (size_t i = 0; i < sum.size(); ++i) {
      momentum[i] = kMomentum * momentum[i] + sum[i] / static_cast<double>(rows);
      expected[i] -= kLearningRate * momentum[i];
    }
  }
  double difference = 0, way = 0;
  for (int64_t i = 0; i < count; ++i) {
    difference += std::pow(l.parameters[i] - expected[static_cast<size_t>(i)], 2);
    way += std::pow(expected[static_cast<size_t>(i)] - c.parameters[i], 2);
  }
  CHECK(state[0].steps == 5 && state[0].failed == 0, "%d steps", static_cast<int>(state[0].steps));
  CHECK(std::sqrt(difference / way) <= 2e-5, "%d rows: off by %g of the way", static_cast<int>(rows), std::sqrt(difference / way));
}

}  // namespace

int main() {
  uint64_t seed = 0;
  // Blocks of 128 rows below 2,048 parameters, else of 64.
  for (const std::vector<int32_t>& sizes : test::kShapes) {
    const rs_activation activation = test::kActivations[seed % 4];
    const int64_t rows = seed % 3 == 0 ? 1 : 67;
    check(sizes, activation, rows, ++seed);
  }
  for (const rs_activation activation : test::kActivations) {
    for (const int64_t rows : {0, 2, 127, 128, 129, 521}) check({10, 20, 1}, activation, rows, ++seed);
    check({70, 33, 5}, activation, 257, ++seed);
  }
  trains(61);
  trains(300);
  std::printf("gradients within %.2g, losses within %.2g\n", worst_gradient, worst_loss);
  return 0;
}
