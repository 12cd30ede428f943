// Whole trainings of the CUDA engine: near the CPU engine's, the same bits as their steps and however they are cut up,
// with and without graphs and memory pools, and nothing left behind.
#include <cstdio>

#include "cuda_engine.h"
#include "schedule.h"

using test::Dataset;
using test::Outcome;
using test::Trainer;
using test::Work;

namespace {

// Every path, ragged and whole epochs, epochs longer and shorter than a window.
const Work kWorks[] = {
    {"batch 1", {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 70, 1, 3, "persistent"},
    {"small batches", {10, 20, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 70, 16, 4, "persistent"},
    {"momentum", {10, 20, 1}, RS_SIGMOID, test::sgd(0.02, 0.9, true, 0.01), 90, 4, 3, "persistent"},
    {"momentum at batch 1", {16, 32, 1}, RS_TANH, test::sgd(0.001, 0.9, false, 0), 50, 1, 3, "persistent"},
    {"Adam at batch 1", {10, 20, 1}, RS_RELU, test::adam(RS_ADAMW, 0.001, 0.1), 70, 1, 3, "persistent"},
    {"full batches", {10, 20, 1}, RS_IDENTITY, test::adam(RS_ADAM, 0.01, 0), 100, 100, 20, "persistent"},
    {"cosine", {10, 20, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 70, 4, 3, "persistent", {RS_COSINE, 0, 0, 0.001, 5, 0.1}},
    {"cosine at batch 1", {4, 8, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 40, 1, 3, "persistent", {RS_COSINE, 0, 0, 0, 0, 0}, 0.5},
    {"plateau", {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 70, 1, 2, "persistent", {}, 0.3},
    {"several blocks, warm-up", {10, 20, 1}, RS_RELU, test::adam(RS_ADAMW, 0.01, 0.1), 1500, 1100, 2, "fused", {RS_STEP_DECAY, 1, 0.5, 0, 2, 0}},
    {"any network", {6, 9, 7, 2}, RS_TANH, test::sgd(0.05, 0, false, 0), 90, 4, 5, "layered"},
    {"one layer", {5, 3}, RS_IDENTITY, test::sgd(0.05, 0.9, false, 0), 70, 1, 3, "layered"},
    {"one step an epoch", {6, 9, 2}, RS_SIGMOID, test::adam(RS_ADAM, 0.01, 0.1), 20, 20, 140, "layered"},
    {"ragged epochs in one graph, cosine", {6, 9, 2}, RS_TANH, test::sgd(0.05, 0.9, false, 0), 50, 7, 30, "layered", {RS_COSINE, 0, 0, 0.001, 20, 0.1}},
    {"many parameters", {64, 70, 3}, RS_RELU, test::adam(RS_ADAM, 0.001, 0), 200, 130, 2, "layered"},
};

void is_near_the_cpu(const Work& work, bool shuffle) {
  const Outcome cuda = test::train(work, shuffle), cpu = test::train(work, shuffle, RS_ENGINE_CPU);
  CHECK(cuda.steps == cpu.steps && cuda.losses.size() == cpu.losses.size(), "%s", work.name);
  for (size_t i = 0; i < cpu.losses.size(); ++i) {
    CHECK(std::fabs(cuda.losses[i] - cpu.losses[i]) <= 2e-5 * cpu.losses[i], "%s: loss %zu is %.9g, the CPU's %.9g", work.name,
          i, cuda.losses[i], cpu.losses[i]);
  }
  for (size_t i = 0; i < cpu.parameters.size(); ++i) {
    CHECK(std::fabs(cuda.parameters[i] - cpu.parameters[i]) <= 1e-4 * (1 + std::fabs(cpu.parameters[i])),
          "%s: parameter %zu is %.9g, the CPU's %.9g", work.name, i, static_cast<double>(cuda.parameters[i]),
          static_cast<double>(cpu.parameters[i]));
  }
}

// The same training, a step a call.
Outcome step_by_step(const Work& work, bool shuffle) {
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  const int64_t in = work.sizes.front(), out = work.sizes.back();
  std::vector<int64_t> order(static_cast<size_t>(work.rows));
  std::vector<float> x, y;
  Outcome outcome;
  const rs::Schedule schedule(work.fit(shuffle), work.optimizer.lr, work.rows);
  for (int64_t epoch = 0; epoch < work.epochs; ++epoch) {
    for (int64_t i = 0; i < work.rows; ++i) order[static_cast<size_t>(i)] = i;
    if (shuffle) CHECK_OK(rs_shuffle_order(77, epoch, work.rows, order.data()));
    for (int64_t first = 0; first < work.rows; first += work.batch) {
      const int64_t rows = std::min(work.batch, work.rows - first);
      x.clear();
      y.clear();
      for (int64_t i = first; i < first + rows; ++i) {
        const int64_t row = order[static_cast<size_t>(i)];
        x.insert(x.end(), rs_dataset_x(data.get()) + row * in, rs_dataset_x(data.get()) + (row + 1) * in);
        y.insert(y.end(), rs_dataset_y(data.get()) + row * out, rs_dataset_y(data.get()) + (row + 1) * out);
      }
      CHECK_OK(rs_trainer_set_learning_rate(trainer.get(), schedule.rate(outcome.steps)));
      CHECK_OK(rs_trainer_step(trainer.get(), x.data(), y.data(), rows));
      outcome.steps++;
    }
  }
  outcome.parameters = test::parameters_of(trainer);
  return outcome;
}

void has_the_bits_of(const Work& work, bool shuffle) {
  const Outcome whole = test::train(work, shuffle);
  const std::string name = std::string(work.name) + (shuffle ? ", shuffled" : "");
  require_same_bits(test::train(work, shuffle, RS_ENGINE_CUDA, 1), whole, name + ", an epoch a call");
  require_same_bits(test::train(work, shuffle, RS_ENGINE_CUDA, 0, 1e-9), whole, name + ", in short slices");
  simt::machine().graphs = false;
  require_same_bits(test::train(work, shuffle), whole, name + ", without graphs");
  simt::machine().reset();
  simt::machine().fail("cudaGraphInstantiate", cudaErrorInvalidValue);
  require_same_bits(test::train(work, shuffle), whole, name + ", with a graph that cannot be made");
  simt::machine().reset();

  Outcome steps = step_by_step(work, shuffle);
  steps.losses = whole.losses;
  require_same_bits(steps, whole, name + ", step by step");
}

void says_its_path(const Work& work) {
  const Trainer trainer = work.trainer();
  const std::string path = rs_trainer_path(trainer.get(), work.batch);
  CHECK(path == work.path, "%s: %s", work.name, path.c_str());
}

}  // namespace

// A mean over rows that do not count alike would be wrong without a word.
void sample_weights_are_refused() {
  const Work& work = kWorks[0];
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  double loss = 0;
  CHECK_OK(rs_trainer_evaluate(trainer.get(), data.get(), nullptr, &loss));
  float* weights = nullptr;
  CHECK_OK(rs_dataset_weights(data.get(), &weights));
  for (int64_t i = 0; i < work.rows; ++i) weights[i] = 2;
  rs_fit fit = work.fit(false);
  for (const rs_status status :
       {rs_trainer_evaluate(trainer.get(), data.get(), nullptr, &loss), rs_trainer_fit(trainer.get(), data.get(), &fit)}) {
    CHECK(status == RS_INVALID_ARGUMENT && std::strstr(rs_last_error(), "does not have sample weights; use device cpu"), "%d: %s",
          status, rs_last_error());
  }
}

int main() {
  test::register_cuda();
  sample_weights_are_refused();
  for (const Work& work : kWorks) {
    says_its_path(work);
    for (const bool shuffle : {false, true}) {
      is_near_the_cpu(work, shuffle);
      has_the_bits_of(work, shuffle);
    }
    CHECK(simt::machine().allocations == 0, "%s: %lld allocations are left", work.name,
          static_cast<long long>(simt::machine().allocations));
    printf("%s: ok\n", work.name);
  }
  return 0;
}
