// The same bits for any number of threads, and however a fit is cut up.
#include <cmath>
#include <cstdio>
#include <string>

#include "bits.h"
#include "engine.h"
#include "optimizers.h"

using test::Dataset;
using test::Trainer;

namespace {

struct Work {
  const char* name;
  std::vector<int32_t> sizes;
  rs_activation activation;
  rs_optimizer optimizer;
  int64_t rows, batch, epochs;
};

// Every way through the trainer: the loop for small networks, the row path, one block and many, with
// and without a ragged end, updates that are and are not shared out.
const Work kWorks[] = {
    {"small loop", {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 300, 1, 4},
    {"row path, one row last", {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 301, 3, 4},
    {"row path", {6, 9, 2}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 300, 7, 4},
    {"one block", {10, 20, 1}, RS_SIGMOID, test::sgd(0.05, 0.9, true, 0.01), 300, 64, 4},
    {"two blocks", {3, 5, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 2100, 2000, 3},
    {"many blocks", {10, 20, 1}, RS_TANH, test::adam(RS_ADAMW, 0.01, 0.1), 12345, 10000, 2},
    {"many parameters", {64, 70, 3}, RS_RELU, test::adam(RS_ADAM, 0.001, 0), 1500, 600, 2},
    {"shared updates", {300, 310, 1}, RS_RELU, test::adam(RS_ADAM, 0.001, 0), 300, 200, 2},
};

struct Outcome {
  std::vector<float> floats;    // parameters, gradient, predictions
  std::vector<double> doubles;  // losses
};

void compare(const Outcome& actual, const Outcome& expected, const std::string& name) {
  CHECK(actual.floats.size() == expected.floats.size(), "%s", name.c_str());
  const int64_t count = static_cast<int64_t>(expected.floats.size());
  const int64_t i = test::first_difference(actual.floats.data(), expected.floats.data(), count);
  CHECK(i == count, "%s: value %lld of %lld differs", name.c_str(), static_cast<long long>(i), static_cast<long long>(count));
  CHECK(actual.doubles == expected.doubles, "%s: the losses differ", name.c_str());
}

Dataset data_of(const Work& work) { return test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5); }

Trainer trainer_of(const Work& work, int32_t threads) {
  return test::make_trainer(work.sizes, work.activation, work.optimizer, threads);
}

rs_fit fit_of(const Work& work, bool shuffle) {
  rs_fit fit = {};
  fit.batch = work.batch;
  fit.epochs = work.epochs;
  fit.shuffle = shuffle;
  fit.seed = 77;
  return fit;
}

// All of it in one call.
Outcome fit_at_once(const Work& work, const Dataset& data, const Trainer& trainer, bool shuffle) {
  std::vector<double> losses(static_cast<size_t>(work.epochs));
  rs_fit fit = fit_of(work, shuffle);
  fit.losses = losses.data();
  fit.losses_capacity = work.epochs + 1;
  CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
  CHECK(fit.done == 1 && fit.losses_count == work.epochs, "%s: the fit did not end", work.name);
  CHECK(fit.epoch == work.epochs && fit.row == 0, "%s: the fit ended elsewhere", work.name);
  CHECK(fit.steps == work.epochs * ((work.rows + work.batch - 1) / work.batch), "%s: %lld steps", work.name,
        static_cast<long long>(fit.steps));
  return {test::parameters_of(trainer), losses};
}

// With a pause whenever there may be one.
Outcome fit_in_slices(const Work& work, const Dataset& data, const Trainer& trainer, bool shuffle) {
  std::vector<double> losses;
  rs_fit fit = fit_of(work, shuffle);
  double loss = 0;
  fit.losses = &loss;
  fit.losses_capacity = 1;
  fit.seconds = 1e-9;
  while (!fit.done) {
    const int64_t before = fit.steps;
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    CHECK(fit.steps > before, "%s: a slice without a step", work.name);
    if (fit.losses_count == 1) losses.push_back(loss);
  }
  return {test::parameters_of(trainer), losses};
}

// The caller picks the rows of every step, and makes the losses of the epochs out of those of the steps.
Outcome fit_step_by_step(const Work& work, const Dataset& data, const Trainer& trainer, bool shuffle) {
  const size_t in = static_cast<size_t>(work.sizes.front()), out = static_cast<size_t>(work.sizes.back());
  std::vector<int64_t> order(static_cast<size_t>(work.rows));
  std::vector<float> x, y;
  std::vector<double> losses(static_cast<size_t>(work.epochs));
  for (int64_t epoch = 0; epoch < work.epochs; ++epoch) {
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    if (shuffle) CHECK_OK(rs_shuffle_order(77, epoch, work.rows, order.data()));
    for (int64_t first = 0; first < work.rows; first += work.batch) {
      const int64_t count = std::min(work.batch, work.rows - first);
      x.clear();
      y.clear();
      for (int64_t i = first; i < first + count; ++i) {
        const size_t row = static_cast<size_t>(order[static_cast<size_t>(i)]);
        x.insert(x.end(), rs_dataset_x(data.get()) + row * in, rs_dataset_x(data.get()) + (row + 1) * in);
        y.insert(y.end(), rs_dataset_y(data.get()) + row * out, rs_dataset_y(data.get()) + (row + 1) * out);
      }
      CHECK_OK(rs_trainer_step(trainer.get(), x.data(), y.data(), count));
      const double part = static_cast<double>(count) / static_cast<double>(work.rows);
      losses[static_cast<size_t>(epoch)] += part * rs_trainer_loss(trainer.get());
    }
  }
  return {test::parameters_of(trainer), losses};
}

// Adds everything else that the trained network says.
void ask(const Work& work, const Dataset& data, const Trainer& trainer, Outcome& outcome) {
  const int64_t count = rs_trainer_parameter_count(trainer.get());
  std::vector<float> gradient(static_cast<size_t>(count)), y(static_cast<size_t>(work.rows * work.sizes.back()));
  double gradient_loss, loss;
  const float *all_x = rs_dataset_x(data.get()), *all_y = rs_dataset_y(data.get());
  CHECK_OK(rs_trainer_gradient(trainer.get(), all_x, all_y, work.rows, gradient.data(), count, &gradient_loss));
  CHECK_OK(rs_trainer_evaluate(trainer.get(), data.get(), nullptr, &loss));
  CHECK_OK(rs_trainer_predict(trainer.get(), all_x, work.rows, y.data()));
  CHECK(std::fabs(gradient_loss / loss - 1) < 1e-5, "%s: loss %g and %g", work.name, gradient_loss, loss);
  outcome.floats.insert(outcome.floats.end(), gradient.begin(), gradient.end());
  outcome.floats.insert(outcome.floats.end(), y.begin(), y.end());
  outcome.doubles.insert(outcome.doubles.end(), {gradient_loss, loss});
}

void any_number_of_threads(const Work& work, const Dataset& data, bool shuffle) {
  Outcome expected;
  for (int32_t threads : {1, 2, 3, 8, 0}) {
    const Trainer trainer = trainer_of(work, threads);
    Outcome outcome = fit_at_once(work, data, trainer, shuffle);
    ask(work, data, trainer, outcome);
    if (threads == 1) expected = outcome;
    compare(outcome, expected, std::string(work.name) + ", " + std::to_string(threads) + " threads");
  }
}

void any_cut(const Work& work, const Dataset& data, bool shuffle) {
  const Outcome expected = fit_at_once(work, data, trainer_of(work, 2), shuffle);
  compare(fit_in_slices(work, data, trainer_of(work, 2), shuffle), expected, std::string(work.name) + " in slices");
  Outcome steps = fit_step_by_step(work, data, trainer_of(work, 2), shuffle);
  for (size_t i = 0; i < expected.doubles.size(); ++i) {
    const double loss = expected.doubles[i], sum = steps.doubles[i];
    CHECK(std::fabs(sum / loss - 1) < 1e-12, "%s: the steps' losses make %.17g, not %.17g", work.name, sum, loss);
  }
  steps.doubles = expected.doubles;
  compare(steps, expected, std::string(work.name) + " step by step");
}

}  // namespace

int main() {
  for (const Work& work : kWorks) {
    const Dataset data = data_of(work);
    for (bool shuffle : {false, true}) {
      any_number_of_threads(work, data, shuffle);
      any_cut(work, data, shuffle);
    }
  }
  std::printf("%zu fits on %s\n", std::size(kWorks), rs_cpu_simd());
  return 0;
}
