// The CUDA engine on the CPU: its own sources over the SIMT layer's runtime, used through the C ABI.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "bits.h"
#include "check.h"
#include "engine.h"
#include "optimizers.h"
#include "ringstep_cuda.h"
#include "runtime.h"

namespace test {

inline void register_cuda() { CHECK_OK(rs_register_backend(rs_cuda_backend())); }

// A training and what it left.
struct Work {
  const char* name;
  std::vector<int32_t> sizes;
  rs_activation activation;
  rs_optimizer optimizer;
  int64_t rows, batch, epochs;
  const char* path;  // that its batches take
  rs_schedule schedule = {};
  double lr_scale = 0;
  rs_average average = {};

  Trainer trainer(rs_engine engine = RS_ENGINE_CUDA) const { return make_trainer(sizes, activation, optimizer, 1, engine); }
  Dataset data() const { return random_dataset(rows, sizes.front(), sizes.back(), 5); }
  rs_fit fit(bool shuffle) const {
    rs_fit fit = {};
    fit.batch = batch;
    fit.epochs = epochs;
    fit.shuffle = shuffle;
    fit.seed = 77;
    fit.schedule = schedule;
    fit.lr_scale = lr_scale;
    fit.average = average;
    return fit;
  }
};

struct Outcome {
  std::vector<float> parameters;  // then their average, where one is kept
  std::vector<double> losses;  // of epochs, then of the last step, then over the data
  int64_t steps = 0;
};

// The average of a trainer's parameters; empty where there is none.
inline std::vector<float> average_of(const Trainer& trainer) {
  std::vector<float> average(parameters_of(trainer).size());
  int64_t averaged = 0;
  CHECK_OK(rs_trainer_get_average(trainer.get(), average.data(), static_cast<int64_t>(average.size()), &averaged));
  if (averaged == 0) average.clear();
  return average;
}

inline void append(std::vector<float>& to, const std::vector<float>& more) { to.insert(to.end(), more.begin(), more.end()); }

// A whole fit in calls that each return after `epochs_a_call`, or after `seconds`.
inline Outcome train(const Work& work, bool shuffle, rs_engine engine = RS_ENGINE_CUDA, int64_t epochs_a_call = 0,
                     double seconds = 0) {
  const Trainer trainer = work.trainer(engine);
  const Dataset data = work.data();
  Outcome outcome;
  rs_fit fit = work.fit(shuffle);
  std::vector<double> losses(static_cast<size_t>(work.epochs));
  fit.losses_capacity = epochs_a_call == 0 ? work.epochs : epochs_a_call;
  fit.seconds = seconds;
  fit.losses = losses.data();
  while (!fit.done) {
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    outcome.losses.insert(outcome.losses.end(), losses.begin(), losses.begin() + fit.losses_count);
  }
  double loss = 0;
  CHECK_OK(rs_trainer_evaluate(trainer.get(), data.get(), nullptr, &loss));
  outcome.losses.push_back(rs_trainer_loss(trainer.get()));
  outcome.losses.push_back(loss);
  outcome.parameters = parameters_of(trainer);
  append(outcome.parameters, average_of(trainer));
  outcome.steps = fit.steps;
  return outcome;
}

inline void require_same_bits(const Outcome& actual, const Outcome& expected, const std::string& name) {
  const int64_t count = static_cast<int64_t>(expected.parameters.size());
  const int64_t i = first_difference(actual.parameters.data(), expected.parameters.data(), count);
  CHECK(i == count, "%s: parameter %lld differs: %.9g, not %.9g", name.c_str(), static_cast<long long>(i),
        static_cast<double>(actual.parameters[static_cast<size_t>(i)]),
        static_cast<double>(expected.parameters[static_cast<size_t>(i)]));
  CHECK(actual.losses.size() == expected.losses.size(), "%s: %zu losses, not %zu", name.c_str(), actual.losses.size(),
        expected.losses.size());
  for (size_t k = 0; k < expected.losses.size(); ++k) {
    CHECK(actual.losses[k] == expected.losses[k], "%s: loss %zu is %.17g, not %.17g", name.c_str(), k, actual.losses[k],
          expected.losses[k]);
  }
  CHECK(actual.steps == expected.steps, "%s: %d steps", name.c_str(), static_cast<int>(actual.steps));
}

}  // namespace test
