// GPUs as ranks that NCCL connects, in threads over a fake of it: gradients are summed as digits in the GPU's memory, and
// have the bits of one GPU alone; by floats, the same on all ranks; ranks that disagree are told so; nothing is left.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>

#include "cuda_engine.h"
#include "of_fake.h"

using test::Dataset;
using test::of_fake;
using test::Outcome;
using test::Trainer;
using test::Work;

namespace {

// Batches of several blocks with a ragged last one, and of one block alone.
const Work kWorks[] = {
    {"fused", {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 1500, 1100, 2, "fused"},
    {"layered", {6, 9, 2}, RS_RELU, test::sgd(0.05, 0.9, false, 0), 300, 290, 2, "layered"},
    {"large batches", {10, 20, 1}, RS_RELU, test::sgd(0.05, 0, false, 0), 1500, 1200, 2, "fused"},
    {"persistent", {10, 20, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 40, 16, 2, "persistent"},
};

void finish(void* stream) {
  cudaEvent_t event;
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess, "no event");
  CHECK(cudaEventRecord(event, static_cast<cudaStream_t>(stream)) == cudaSuccess, "no record");
  while (cudaEventQuery(event) == cudaErrorNotReady) continue;
  cudaEventDestroy(event);
}

// Runs body(rank, communicator) on a thread for each rank.
void on_ranks(int size, const std::function<void(int, rs_communicator*)>& body) {
  char id[128];
  CHECK_OK(rs_nccl_unique_id(id));
  std::vector<std::thread> ranks;
  for (int r = 0; r < size; ++r) {
    ranks.emplace_back([&, r] {
      rs_communicator* communicator = nullptr;
      CHECK_OK(rs_nccl_communicator_create(id, 0, r, size, 60, &communicator));
      CHECK(std::strcmp(rs_communicator_name(communicator), "nccl") == 0, "it is %s", rs_communicator_name(communicator));
      body(r, communicator);
      rs_communicator_destroy(communicator);
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

std::vector<float> train_as_rank(const Work& work, rs_communicator* communicator, rs_reduce reduce, int64_t steps) {
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  CHECK_OK(rs_trainer_set_communicator(trainer.get(), communicator, reduce));
  rs_fit fit = work.fit(true);
  while (!fit.done) CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
  CHECK(fit.steps == steps, "%s: %d steps", work.name, static_cast<int>(fit.steps));
  return test::parameters_of(trainer);
}

void ranks_have_the_bits_of_one(const Work& work, int size) {
  const Outcome alone = test::train(work, true);
  on_ranks(size, [&](int rank, rs_communicator* communicator) {
    CHECK(train_as_rank(work, communicator, RS_REDUCE_EXACT, alone.steps) == alone.parameters,
          "%s: rank %d of %d has other bits", work.name, rank, size);
  });
}

void floats_are_the_same_on_all_ranks(const Work& work) {
  const Outcome alone = test::train(work, true);
  std::vector<std::vector<float>> all(3);
  on_ranks(3, [&](int rank, rs_communicator* communicator) {
    all[static_cast<size_t>(rank)] = train_as_rank(work, communicator, RS_REDUCE_FLOAT, alone.steps);
  });
  CHECK(all[1] == all[0] && all[2] == all[0], "%s: ranks differ", work.name);
  for (size_t i = 0; i < all[0].size(); ++i) {
    CHECK(std::fabs(all[0][i] - alone.parameters[i]) <= 1e-4f * (1 + std::fabs(alone.parameters[i])), "%s: parameter %zu", work.name, i);
  }
}

void host_memory_is_summed_too() {
  on_ranks(3, [](int rank, rs_communicator* communicator) {
    for (int64_t count : {1, 1000}) {
      std::vector<int64_t> values(static_cast<size_t>(count), rank + 1);
      CHECK_OK(rs_communicator_all_reduce(communicator, values.data(), count, RS_INT64_SUM));
      CHECK(values == std::vector<int64_t>(static_cast<size_t>(count), 6), "a wrong sum");
    }
    std::vector<float> floats = {1.5f, static_cast<float>(rank)};
    CHECK_OK(rs_communicator_all_reduce_floats(communicator, floats.data(), 2));
    CHECK(floats[0] == 4.5f && floats[1] == 3.0f, "a wrong sum");
    CHECK_OK(rs_communicator_barrier(communicator));
  });
}

// Other batches on another rank: the rows that were summed tell, and no parameter has changed.
void ranks_with_other_batches_are_told(rs_reduce reduce) {
  on_ranks(2, [&](int rank, rs_communicator* communicator) {
    const Trainer trainer = kWorks[0].trainer();
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), communicator, reduce));
    const std::vector<float> before = test::parameters_of(trainer);
    const int64_t rows = 1100 + 400 * rank;
    const Dataset data = test::random_dataset(rows, 10, 1, 5);
    const rs_status status = rs_trainer_step(trainer.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), rows);
    CHECK(status == RS_COLLECTIVE_MISMATCH && std::strstr(rs_last_error(), "their data or settings differ"), "%d: %s", status,
          rs_last_error());
    CHECK(test::parameters_of(trainer) == before, "rank %d has applied it", rank);
  });
}

// Other networks, or other ways to sum, before anything is enqueued: the fake ends the process at unequal sums.
void ranks_that_sum_other_things_are_told() {
  on_ranks(3, [](int rank, rs_communicator* communicator) {
    const Trainer trainer = kWorks[rank == 1].trainer();
    const rs_status status = rs_trainer_set_communicator(trainer.get(), communicator, RS_REDUCE_EXACT);
    CHECK(status == RS_COLLECTIVE_MISMATCH && rs_last_error_rank() == 1 &&
              std::strstr(rs_last_error(), "rank 1 has parameters 83 where rank 0 has 241"),
          "%d: %s", status, rs_last_error());
  });
  on_ranks(2, [](int rank, rs_communicator* communicator) {
    const Trainer trainer = kWorks[0].trainer();
    const rs_status status =
        rs_trainer_set_communicator(trainer.get(), communicator, rank == 0 ? RS_REDUCE_EXACT : RS_REDUCE_FLOAT);
    CHECK(status == RS_COLLECTIVE_MISMATCH && std::strstr(rs_last_error(), "rank 1 has --reduce (0 exact, 1 float) 1 where rank 0 has 0"),
          "%d: %s", status, rs_last_error());
  });
  on_ranks(3, [](int rank, rs_communicator* communicator) {
    std::vector<float> values(static_cast<size_t>(10 + rank / 2));
    const rs_status status =
        rs_communicator_all_reduce(communicator, values.data(), static_cast<int64_t>(values.size()), RS_FLOAT32_SUM);
    CHECK(status == RS_COLLECTIVE_MISMATCH && rs_last_error_rank() == 2 &&
              std::strstr(rs_last_error(), "rank 2 has count of values 11 where rank 0 has 10"),
          "%d: %s", status, rs_last_error());
  });
  on_ranks(2, [](int rank, rs_communicator* communicator) {
    int64_t values[4] = {};
    const rs_status status = rs_communicator_all_reduce(communicator, values, 4, rank == 0 ? RS_FLOAT32_SUM : RS_INT64_SUM);
    CHECK(status == RS_COLLECTIVE_MISMATCH && std::strstr(rs_last_error(), "kind of values"), "%d: %s", status, rs_last_error());
  });
}

void sums_are_timed() {
  on_ranks(2, [](int, rs_communicator* communicator) {
    double seconds = 0;
    CHECK_OK(rs_communicator_time_sums(communicator, 1024, 5, &seconds));
    CHECK(seconds > 0 && seconds < 60, "%g s", seconds);
  });
}

void what_is_wrong_is_refused() {
  char id[128] = {};
  rs_communicator* communicator = nullptr;
  CHECK(rs_nccl_communicator_create(nullptr, 0, 0, 2, 60, &communicator) == RS_INVALID_ARGUMENT, "no id");
  CHECK(rs_nccl_communicator_create(id, 0, 2, 2, 60, &communicator) == RS_INVALID_ARGUMENT, "rank 2 of 2");
  CHECK(rs_nccl_communicator_create(id, 7, 0, 2, 60, &communicator) == RS_CUDA && std::strstr(rs_last_error(), "no cuda:7"), "%s",
        rs_last_error());
  CHECK(std::strncmp(rs_cuda_device_uuid(0), "GPU-", 4) == 0 && std::strlen(rs_cuda_device_uuid(0)) == 40, "uuid %s",
        rs_cuda_device_uuid(0));
  CHECK(rs_cuda_device_uuid(7)[0] == 0, "a uuid of no GPU");
}

void gpus_say_how_they_reach_each_other() {
  const auto says = [](int32_t device, int32_t peer, const char* text) {
    CHECK(std::strstr(rs_cuda_peer_description(device, peer), text), "%s", rs_cuda_peer_description(device, peer));
  };
  simt::machine().devices = 2;
  says(0, 1, "directly, with atomics, as over NVLink, performance rank 1");
  simt::machine().peer_atomics = false;
  says(1, 0, "directly, without atomics, as over PCIe");
  simt::machine().peers = false;
  says(0, 1, "by way of the host");
  says(0, 2, "cuda:0");
  simt::machine().reset();
}

}  // namespace

int main(int count, char** arguments) {
  CHECK(count == 2, "usage: cuda_nccl_test LIBRARY");
  of_fake<void (*)(void*)>(arguments[1], "fake_finish") = finish;
  CHECK_OK(rs_nccl_load(arguments[1]));
  test::register_cuda();
  what_is_wrong_is_refused();
  gpus_say_how_they_reach_each_other();
  host_memory_is_summed_too();
  for (const Work& work : kWorks) {
    for (const int size : {1, 2, 3}) ranks_have_the_bits_of_one(work, size);
    floats_are_the_same_on_all_ranks(work);
    printf("%s: ok\n", work.name);
  }
  CHECK(of_fake<int>(arguments[1], "fake_sums_in_windows") > 0, "no sum was in a window");
  ranks_with_other_batches_are_told(RS_REDUCE_EXACT);
  ranks_with_other_batches_are_told(RS_REDUCE_FLOAT);
  ranks_that_sum_other_things_are_told();
  sums_are_timed();
  for (const char* left : {"fake_windows", "fake_memory", "fake_disorder"}) {
    CHECK(of_fake<int>(arguments[1], left) == 0, "%s is %d", left, of_fake<int>(arguments[1], left));
  }
  CHECK(of_fake<int>(arguments[1], "fake_alive") == 0, "communicators are left");
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
  printf("ranks by NCCL: ok\n");
  return 0;
}
