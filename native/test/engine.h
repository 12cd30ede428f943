// The C ABI as C++ values: a call that fails ends the test.
#pragma once

#include <memory>
#include <vector>

#include "check.h"
#include "random.h"
#include "ringstep.h"

namespace test {

struct Destroy {
  void operator()(rs_dataset* dataset) const { rs_dataset_destroy(dataset); }
  void operator()(rs_trainer* trainer) const { rs_trainer_destroy(trainer); }
};

using Dataset = std::unique_ptr<rs_dataset, Destroy>;
using Trainer = std::unique_ptr<rs_trainer, Destroy>;

#define CHECK_OK(call) CHECK((call) == RS_OK, "%s", rs_last_error())

// Inputs in [-1, 1), targets in [-1, 1).
inline Dataset random_dataset(int64_t rows, int32_t inputs, int32_t outputs, uint64_t seed) {
  rs_dataset* dataset = nullptr;
  CHECK_OK(rs_dataset_create(rows, inputs, outputs, &dataset));
  Random random(seed);
  for (int64_t i = 0; i < rows * inputs; ++i) rs_dataset_x(dataset)[i] = random.uniform(-1, 1);
  for (int64_t i = 0; i < rows * outputs; ++i) rs_dataset_y(dataset)[i] = random.uniform(-1, 1);
  return Dataset(dataset);
}

inline Trainer make_trainer(const std::vector<int32_t>& sizes, rs_activation activation, const rs_optimizer& optimizer,
                            int32_t threads) {
  rs_trainer* trainer = nullptr;
  rs_trainer_options options = {};
  options.sizes = sizes.data();
  options.size_count = static_cast<int32_t>(sizes.size());
  options.activation = activation;
  options.optimizer = optimizer;
  options.threads = threads;
  CHECK_OK(rs_trainer_create(&options, &trainer));
  CHECK_OK(rs_trainer_init(trainer, 1));
  return Trainer(trainer);
}

inline std::vector<float> parameters_of(const Trainer& trainer) {
  std::vector<float> parameters(static_cast<size_t>(rs_trainer_parameter_count(trainer.get())));
  CHECK_OK(rs_trainer_get_parameters(trainer.get(), parameters.data(), static_cast<int64_t>(parameters.size())));
  return parameters;
}

}  // namespace test
