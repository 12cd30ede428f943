// GPUs as ranks of one job, in threads of this process: the bits of one GPU alone, whatever their number; and a checkpoint
// of the optimizer's state goes on with the same bits.
#include <cstdio>
#include <thread>

#include "cuda_engine.h"

using test::Dataset;
using test::Outcome;
using test::Trainer;
using test::Work;

namespace {

// Batches of one block and of several, with a ragged last one.
const Work kWorks[] = {
    {"fused", {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 1500, 1100, 2, "fused"},
    {"layered", {6, 9, 2}, RS_RELU, test::sgd(0.05, 0.9, false, 0), 300, 290, 2, "layered"},
    {"persistent", {10, 20, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 40, 16, 2, "persistent"},
    {"persistent, with a state", {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 40, 16, 2, "persistent"},
};

void ranks_have_the_bits_of_one(const Work& work, int size) {
  const Outcome alone = test::train(work, true);
  std::vector<rs_communicator*> communicators(static_cast<size_t>(size));
  CHECK_OK(rs_local_communicators_create(size, 300, communicators.data()));
  std::vector<Trainer> trainers;
  for (int r = 0; r < size; ++r) {
    trainers.push_back(work.trainer());
    CHECK_OK(rs_trainer_set_communicator(trainers.back().get(), communicators[static_cast<size_t>(r)], RS_REDUCE_EXACT));
  }
  const Dataset data = work.data();
  std::vector<std::thread> ranks;
  for (int r = 0; r < size; ++r) {
    ranks.emplace_back([&, r] {
      rs_fit fit = work.fit(true);
      while (!fit.done) CHECK_OK(rs_trainer_fit(trainers[static_cast<size_t>(r)].get(), data.get(), &fit));
      CHECK(fit.steps == alone.steps, "%s: %d steps", work.name, static_cast<int>(fit.steps));
    });
  }
  for (std::thread& rank : ranks) rank.join();
  for (const Trainer& trainer : trainers) {
    CHECK(test::parameters_of(trainer) == alone.parameters, "%s: %d ranks have other bits", work.name, size);
  }
  trainers.clear();
  for (rs_communicator* communicator : communicators) rs_communicator_destroy(communicator);
}

void state_goes_on_with_the_same_bits(const Work& work) {
  const Dataset data = work.data();
  const Trainer whole = work.trainer(), first = work.trainer(), second = work.trainer();
  const auto fit = [&](const Trainer& trainer, int64_t epoch) {
    rs_fit part = work.fit(true);
    part.epoch = epoch;
    part.epochs = epoch + 1;
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &part));
  };
  fit(whole, 0);
  fit(whole, 1);
  fit(first, 0);
  const std::vector<float> parameters = test::parameters_of(first);
  std::vector<float> moments(static_cast<size_t>(rs_trainer_state_count(first.get())));
  rs_optimizer_state state;
  CHECK_OK(rs_trainer_get_state(first.get(), moments.data(), static_cast<int64_t>(moments.size()), &state));
  CHECK_OK(rs_trainer_set_parameters(second.get(), parameters.data(), static_cast<int64_t>(parameters.size())));
  CHECK_OK(rs_trainer_set_state(second.get(), moments.data(), static_cast<int64_t>(moments.size()), &state));
  fit(second, 1);
  CHECK(test::parameters_of(second) == test::parameters_of(whole), "%s: a training that was resumed has other bits", work.name);
}

}  // namespace

int main() {
  test::register_cuda();
  for (const Work& work : kWorks) {
    for (const int size : {2, 3}) ranks_have_the_bits_of_one(work, size);
    state_goes_on_with_the_same_bits(work);
  }
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
  printf("ranks and checkpoints: ok\n");
  return 0;
}
