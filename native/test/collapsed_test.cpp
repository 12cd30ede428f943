// Networks without activations as one linear map: the gradient against float64, training against the layers as written,
// and the same bits for any number of threads.
#include <cmath>
#include <cstdio>
#include <string>

#include "check.h"
#include "cpu/collapsed.h"
#include "engine.h"
#include "instruction_sets.h"
#include "network_case.h"

using rs::cpu::Kernels;
using rs::cpu::Rows;
using test::GuardedArray;
using test::NetworkCase;
using test::relative_error;

namespace {

void check_gradient(const Kernels& kernels, const std::vector<int32_t>& shape, int64_t count) {
  const NetworkCase c(shape, RS_IDENTITY, count, static_cast<uint64_t>(count));
  rs::cpu::Collapsed collapsed(c.network);
  const rs::Network& map = collapsed.map();
  rs::cpu::Pass pass = c.pass();
  pass.network = {map.layers.data(), 1, RS_IDENTITY, map.parameter_count, map.widest};
  pass.parameters = collapsed.fold(c.parameters.get());
  GuardedArray workspace(kernels.workspace_length(pass.network));
  GuardedArray gradient(rs::cpu::gradient_length(std::max(c.network.parameter_count, map.parameter_count)));
  kernels.block_gradient(pass, {c.x.get(), c.y.get(), 0, nullptr}, count, workspace.get(), gradient.get());
  collapsed.expand(c.parameters.get(), gradient.get());

  test::ReferenceNetwork reference(c.network, c.parameters.get());
  std::vector<double> expected(static_cast<size_t>(c.network.parameter_count));
  double loss = 0;
  const int64_t in = c.network.inputs(), out = c.network.outputs();
  for (int64_t r = 0; r < count; ++r) loss += reference.backward(&c.x[r * in], &c.y[r * out], c.loss_weights.get(), expected);
  const double error = relative_error(gradient.get(), expected);
  CHECK(error <= 2e-6, "%s %s, %lld rows: gradient off by %g", c.name().c_str(), kernels.name, static_cast<long long>(count), error);
  const double loss_error = std::fabs(gradient[c.network.parameter_count] / loss - 1);
  CHECK(loss_error <= 1e-6, "%s %s: loss off by %g", c.name().c_str(), kernels.name, loss_error);
}

// A trainer's parameters after three epochs on 3,000 rows, which make 11 batches and a short one.
std::vector<float> train(const std::vector<int32_t>& shape, bool collapse, int threads) {
  rs_trainer_options options = {};
  options.sizes = shape.data();
  options.size_count = static_cast<int32_t>(shape.size());
  options.threads = threads;
  options.collapse = collapse;
  options.optimizer = {RS_SGD, 0.05, 0.9, 0, 0, 0, 0, 0};
  rs_trainer* created = nullptr;
  CHECK_OK(rs_trainer_create(&options, &created));
  test::Trainer trainer(created);
  CHECK_OK(rs_trainer_init(created, 1));
  const test::Dataset data = test::random_dataset(3001, shape.front(), shape.back(), 5);
  rs_fit fit = {};
  fit.batch = 2500;
  fit.epochs = 3;
  fit.shuffle = 1;
  while (!fit.done) CHECK_OK(rs_trainer_fit(created, data.get(), &fit));
  return test::parameters_of(trainer);
}

void check_training(const std::vector<int32_t>& shape) {
  const std::vector<float> written = train(shape, false, 1), collapsed = train(shape, true, 1);
  CHECK(collapsed == train(shape, true, 2), "two threads gave other bits than one");
  const double error = relative_error(collapsed.data(), {written.begin(), written.end()});
  CHECK(error <= 1e-5, "%g from the layers as written", error);
  // Where one layer is all there is, it is the map.
  CHECK(shape.size() == 2 || written != collapsed, "the map was not used");
}

void check_refusals() {
  const int32_t sizes[] = {10, 20, 1};
  rs_trainer* trainer = nullptr;
  rs_trainer_options options = {};
  options.sizes = sizes;
  options.size_count = 3;
  options.optimizer.lr = 0.1;
  options.collapse = 1;
  options.activation = RS_RELU;
  CHECK(rs_trainer_create(&options, &trainer) == RS_INVALID_ARGUMENT, "taken with an activation");
  CHECK(std::string(rs_last_error()).find("activation") != std::string::npos, "%s", rs_last_error());
  options.activation = RS_IDENTITY;
  options.dropout = 0.5;
  CHECK(rs_trainer_create(&options, &trainer) == RS_INVALID_ARGUMENT, "taken with dropout");
}

}  // namespace

int main() {
  for (const std::vector<int32_t>& shape : test::kShapes) {
    for (int64_t count : {8, 17, 256, 1000}) {
      for (const Kernels* kernels : test::instruction_sets()) check_gradient(*kernels, shape, count);
    }
  }
  for (const std::vector<int32_t>& shape : {std::vector<int32_t>{10, 20, 1}, {7, 13, 5}, {3, 2}, {40, 2, 40}, {5, 7, 11, 3}}) {
    check_training(shape);
  }
  check_refusals();
  std::printf("%zu shapes\n", test::kShapes.size());
  return 0;
}
