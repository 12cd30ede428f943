// Training by several ranks, through the C ABI: the same bits as alone, stops that all agree on, failures that leave
// the parameters whole.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <thread>

#include "bits.h"
#include "engine.h"
#include "optimizers.h"
#include "sanitizers.h"

using test::Dataset;
using test::Trainer;

namespace {

struct Communicators {
  explicit Communicators(int size, double deadline = 60) : all(static_cast<size_t>(size)) {
    CHECK_OK(rs_local_communicators_create(size, deadline, all.data()));
  }
  ~Communicators() {
    for (rs_communicator* communicator : all) rs_communicator_destroy(communicator);
  }
  std::vector<rs_communicator*> all;
};

struct Work {
  const char* name;
  std::vector<int32_t> sizes;
  rs_activation activation;
  rs_optimizer optimizer;
  int64_t rows, batch, epochs;
};

// Batches of one block, which every rank computes, and of several; ragged ends of both kinds.
const Work kWorks[] = {
    {"batch 1", {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 300, 1, 4},
    {"batch 7", {6, 9, 2}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 300, 7, 4},
    {"one block", {10, 20, 1}, RS_SIGMOID, test::sgd(0.05, 0.9, true, 0.01), 300, 64, 4},
    {"the diabetes table's size", {10, 20, 1}, RS_IDENTITY, test::sgd(0.02, 0.9, false, 0), 442, 442, 20},
    {"ragged: 2 blocks, then one", {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 337, 300, 10},
    {"ragged: 8 blocks, then 1 row", {3, 5, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 2001, 2000, 6},
    {"many blocks", {10, 20, 1}, RS_TANH, test::adam(RS_ADAMW, 0.01, 0.1), 12345, 10000, 3},
    {"many parameters", {64, 150, 3}, RS_RELU, test::adam(RS_ADAM, 0.001, 0), 1500, 600, 2},
};

Trainer trainer_of(const Work& work) { return test::make_trainer(work.sizes, work.activation, work.optimizer, 1); }

struct Outcome {
  std::vector<float> parameters, gradient;
  std::vector<double> losses;
};

// One rank's part of the work; alone where there is no communicator.
Outcome train(const Work& work, const Dataset& data, rs_communicator* communicator, int32_t reduce = RS_REDUCE_EXACT) {
  const Trainer trainer = trainer_of(work);
  CHECK_OK(rs_trainer_set_communicator(trainer.get(), communicator, reduce));
  Outcome outcome;
  outcome.losses.resize(static_cast<size_t>(work.epochs));
  rs_fit fit = {};
  fit.batch = work.batch;
  fit.epochs = work.epochs;
  fit.shuffle = 1;
  fit.seed = 7;
  fit.losses = outcome.losses.data();
  fit.losses_capacity = work.epochs;
  // Every rank pauses where it likes.
  fit.seconds = communicator ? 1e-4 * (1 + rs_communicator_rank(communicator)) : 0;
  int64_t losses = 0;
  while (!fit.done) {
    fit.losses = outcome.losses.data() + losses;
    fit.losses_capacity = work.epochs - losses + 1;
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    losses += fit.losses_count;
  }
  CHECK(losses == work.epochs && !fit.stopped, "%s: the fit did not end", work.name);
  CHECK_OK(rs_trainer_step(trainer.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), work.rows));
  outcome.losses.push_back(rs_trainer_loss(trainer.get()));
  outcome.parameters = test::parameters_of(trainer);
  outcome.gradient.resize(outcome.parameters.size());
  double loss;
  CHECK_OK(rs_trainer_gradient(trainer.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), work.rows,
                               outcome.gradient.data(), static_cast<int64_t>(outcome.gradient.size()), &loss));
  outcome.losses.push_back(loss);
  return outcome;
}

void on_ranks(int size, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) threads.emplace_back(body, r);
  for (std::thread& thread : threads) thread.join();
}

void same_bits(const Work& work) {
  const Dataset data = test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5);
  const Outcome expected = train(work, data, nullptr);
  for (int size : {1, 2, 3, 4, 7, 8}) {
    const Communicators ranks(size);
    on_ranks(size, [&](int r) {
      const Outcome outcome = train(work, data, ranks.all[static_cast<size_t>(r)]);
      const int64_t count = static_cast<int64_t>(expected.parameters.size());
      CHECK(test::first_difference(outcome.parameters.data(), expected.parameters.data(), count) == count &&
                test::first_difference(outcome.gradient.data(), expected.gradient.data(), count) == count,
            "%s: rank %d of %d has other bits", work.name, r, size);
      CHECK(outcome.losses == expected.losses, "%s: rank %d of %d has other losses", work.name, r, size);
    });
  }
}

// Near, and the same on all ranks.
void reduced_as_floats() {
  const Work& work = kWorks[3];
  const Dataset data = test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5);
  const Outcome expected = train(work, data, nullptr);
  const Communicators ranks(3);
  std::vector<Outcome> outcomes(3);
  on_ranks(3, [&](int r) { outcomes[static_cast<size_t>(r)] = train(work, data, ranks.all[static_cast<size_t>(r)], RS_REDUCE_FLOAT); });
  for (const Outcome& outcome : outcomes) {
    CHECK(outcome.parameters == outcomes[0].parameters, "ranks differ");
    for (size_t i = 0; i < expected.parameters.size(); ++i) {
      CHECK(std::fabs(outcome.parameters[i] - expected.parameters[i]) < 1e-5, "parameter %zu", i);
    }
  }
}

// One rank wants to stop: all do, after the same step.
void stops(const Work& work) {
  const Dataset data = test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5);
  const int size = 3;
  const Communicators ranks(size);
  std::vector<rs_fit> fits(size);
  std::vector<std::vector<float>> parameters(size);
  on_ranks(size, [&](int r) {
    const size_t own = static_cast<size_t>(r);
    const Trainer trainer = trainer_of(work);
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), ranks.all[own], RS_REDUCE_EXACT));
    rs_fit& fit = fits[own] = {};
    fit.batch = work.batch;
    fit.epochs = 1 << 30;
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      if (r == 1) rs_trainer_stop(trainer.get(), 1);
    });
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    stopper.join();
    parameters[own] = test::parameters_of(trainer);
  });
  for (size_t r = 0; r < size; ++r) {
    CHECK(fits[r].stopped && !fits[r].done && fits[r].steps == fits[0].steps && fits[r].steps > 0, "%s: rank %zu, %lld steps",
          work.name, r, static_cast<long long>(fits[r].steps));
    CHECK(parameters[r] == parameters[0], "%s: rank %zu has other parameters", work.name, r);
  }
}

// A loss that is not finite ends the fit on all ranks at the same step, and they can go on.
void diverges() {
  const Dataset data = test::random_dataset(442, 10, 1, 5);
  const int size = 3;
  const Communicators ranks(size);
  std::vector<int64_t> steps(size);
  on_ranks(size, [&](int r) {
    const Trainer trainer = test::make_trainer({10, 20, 1}, RS_IDENTITY, test::sgd(100, 0, false, 0), 1);
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), ranks.all[static_cast<size_t>(r)], RS_REDUCE_EXACT));
    rs_fit fit = {};
    fit.batch = 442;
    fit.epochs = 100000;
    CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_NON_FINITE, "rank %d did not diverge", r);
    steps[static_cast<size_t>(r)] = fit.steps;
    CHECK_OK(rs_communicator_barrier(ranks.all[static_cast<size_t>(r)]));
  });
  CHECK(steps[0] > 0 && steps[1] == steps[0] && steps[2] == steps[0], "they stop at different steps");
}

// A rank never comes: the others end within the deadline, name it, and keep the parameters of their last step.
void fails(const Work& work) {
  const Dataset data = test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5);
  const Communicators ranks(3, 0.3);
  on_ranks(2, [&](int r) {
    const Trainer trainer = trainer_of(work);
    const std::vector<float> before = test::parameters_of(trainer);
    rs_communicator* own = ranks.all[static_cast<size_t>(r)];
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), own, RS_REDUCE_EXACT));
    const float* x = rs_dataset_x(data.get());
    CHECK(rs_trainer_step(trainer.get(), x, rs_dataset_y(data.get()), work.rows) == RS_COLLECTIVE_TIMEOUT, "%s", rs_last_error());
    CHECK(rs_last_error_rank() == 2, "rank %d blames rank %d: %s", r, rs_last_error_rank(), rs_last_error());
    CHECK(test::parameters_of(trainer) == before, "a step was half done");
    CHECK(rs_trainer_step(trainer.get(), x, rs_dataset_y(data.get()), 1) == RS_COLLECTIVE_TIMEOUT, "goes on after a failure");
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), nullptr, RS_REDUCE_EXACT));
    CHECK_OK(rs_trainer_step(trainer.get(), x, rs_dataset_y(data.get()), work.rows));
  });
}

// Others' fits end when one rank's communicator is aborted, even where no gradients travel.
void aborts(const Work& work) {
  const Dataset data = test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5);
  const Communicators ranks(2);
  std::thread aborter([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    rs_communicator_abort(ranks.all[0], 1, "rank 1 is gone");
  });
  on_ranks(2, [&](int r) {
    const Trainer trainer = trainer_of(work);
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), ranks.all[static_cast<size_t>(r)], RS_REDUCE_EXACT));
    rs_fit fit = {};
    fit.batch = work.batch;
    fit.epochs = 1 << 30;
    CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_COLLECTIVE_ABORTED, "%s", rs_last_error());
    CHECK(rs_last_error_rank() == 1 && std::string(rs_last_error()) == "fit: rank 1 is gone", "%s", rs_last_error());
  });
  aborter.join();
}

void bad_calls() {
  rs_communicator* none = nullptr;
  CHECK(rs_local_communicators_create(0, 1, &none) == RS_INVALID_ARGUMENT, "no ranks");
  CHECK(rs_local_communicators_create(1, 0, &none) == RS_INVALID_ARGUMENT, "no deadline");
  rs_tcp_listener* listener = nullptr;
  CHECK(rs_tcp_listener_create("nowhere", &listener) == RS_COLLECTIVE_FAILED, "listens nowhere");
  CHECK_OK(rs_tcp_listener_create("127.0.0.1", &listener));
  CHECK(rs_tcp_communicator_create(listener, 0, 2, "127.0.0.1 1", "", 0, 1, &none) == RS_INVALID_ARGUMENT, "an address is missing");
  CHECK(rs_tcp_communicator_create(listener, 0, 1, "127.0.0.1 x", "", 0, 1, &none) == RS_INVALID_ARGUMENT, "a port is no number");
  CHECK(rs_tcp_communicator_create(listener, 2, 2, "a 1\nb 2", "", 0, 1, &none) == RS_INVALID_ARGUMENT, "no such rank");
  rs_tcp_listener_destroy(listener);
  const Communicators one(1);
  CHECK(rs_communicator_broadcast(one.all[0], nullptr, 1, 0) == RS_INVALID_ARGUMENT, "null bytes");
  char byte = 1;
  CHECK(rs_communicator_broadcast(one.all[0], &byte, 1, 1) == RS_INVALID_ARGUMENT, "no such root");
  CHECK(rs_communicator_all_reduce(one.all[0], &byte, 0, 9) == RS_INVALID_ARGUMENT, "no such element");
}

}  // namespace

int main() {
  for (const Work& work : kWorks) same_bits(work);
  reduced_as_floats();
  for (const Work& work : kWorks) stops(work);
  diverges();
  for (const Work& work : {kWorks[3], kWorks[6]}) fails(work);
  for (const Work& work : kWorks) aborts(work);
  bad_calls();
  std::printf("%zu fits on %s\n", std::size(kWorks), rs_cpu_simd());
  return 0;
}
