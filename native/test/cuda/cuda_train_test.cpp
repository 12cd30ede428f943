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
    {"EMA at batch 1", {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 50, 1, 3, "persistent", {}, 0, {RS_EMA, 0.9, 0}},
    {"SWA of Adam", {10, 20, 1}, RS_RELU, test::adam(RS_ADAM, 0.01, 0), 50, 16, 5, "persistent", {}, 0, {RS_SWA, 0, 2}},
    {"EMA of several blocks", {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 1300, 1100, 2, "fused", {}, 0, {RS_EMA, 0.5, 0}},
    {"EMA of any network", {5, 3}, RS_IDENTITY, test::sgd(0.05, 0.9, false, 0), 40, 3, 4, "layered", {}, 0, {RS_EMA, 0.9, 0}},
    {"SWA of any network", {5, 3}, RS_IDENTITY, test::sgd(0.05, 0, false, 0), 20, 10, 40, "layered", {}, 0, {RS_SWA, 0, 3}},
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

// The average of a work's parameters, by the host: PyTorch's formulas in float32.
struct Average {
  const rs_average& settings;
  std::vector<float> values = {};
  int64_t averaged = 0;

  void step(const Trainer& trainer) {
    if (settings.kind == RS_EMA) move(trainer, 1 - settings.ema_decay);
  }
  void end_epoch(const Trainer& trainer, int64_t epoch) {
    if (settings.kind == RS_SWA && epoch >= settings.swa_start) move(trainer, 1 / static_cast<double>(averaged + 1));
  }

 private:
  void move(const Trainer& trainer, double share) {
    const std::vector<float> parameters = test::parameters_of(trainer);
    if (averaged++ == 0) values = parameters;
    for (size_t i = 0; i < values.size(); ++i) {
      const float way = static_cast<float>(share) * (parameters[i] - values[i]);
      values[i] += way;
    }
  }
};

// The same training, a step a call.
Outcome step_by_step(const Work& work, bool shuffle) {
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  const int64_t in = work.sizes.front(), out = work.sizes.back();
  std::vector<int64_t> order(static_cast<size_t>(work.rows));
  std::vector<float> x, y;
  Outcome outcome;
  const rs::Schedule schedule(work.fit(shuffle), work.optimizer.lr, work.rows);
  Average average = {work.average};
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
      average.step(trainer);
    }
    average.end_epoch(trainer, epoch);
  }
  outcome.parameters = test::parameters_of(trainer);
  test::append(outcome.parameters, average.values);
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

// An average that was set is moved on from; exchanged with the parameters, it answers, and the optimizer goes on.
void averages_are_set_and_exchanged() {
  Work work = kWorks[0];
  work.average = {RS_EMA, 0.8, 0};
  const Trainer trainer = work.trainer(), other = work.trainer();
  const Dataset data = work.data();
  rs_fit fit = work.fit(true);
  fit.losses_capacity = 1;
  CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
  const std::vector<float> parameters = test::parameters_of(trainer), average = test::average_of(trainer);
  CHECK(!average.empty() && average != parameters, "no average");
  CHECK(rs_trainer_swap_average(other.get()) == RS_INVALID_ARGUMENT, "an average of nothing");
  const int64_t count = static_cast<int64_t>(average.size());
  CHECK_OK(rs_trainer_set_parameters(other.get(), parameters.data(), count));
  CHECK_OK(rs_trainer_set_average(other.get(), average.data(), count, fit.steps));
  rs_fit again = fit;
  CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
  CHECK_OK(rs_trainer_fit(other.get(), data.get(), &again));
  CHECK(test::average_of(other) == test::average_of(trainer), "an average that was set is not gone on with");
  const std::vector<float> latest = test::parameters_of(trainer), latest_average = test::average_of(trainer);
  CHECK_OK(rs_trainer_swap_average(trainer.get()));
  CHECK(test::parameters_of(trainer) == latest_average && test::average_of(trainer) == latest, "they are not exchanged");
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
  averages_are_set_and_exchanged();
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
