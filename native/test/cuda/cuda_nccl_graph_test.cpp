// GPUs as ranks that are processes, whose steps are graphs with NCCL's sums in them: the same bits as one GPU, an end
// within the deadline where a device hangs.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>

#include "cuda_engine.h"
#include "of_fake.h"

using test::Dataset;
using test::of_fake;
using test::Outcome;
using test::Trainer;
using test::Work;

namespace {

// Whole batches of several blocks, with ragged ones between; several outputs; no batch that is whole.
const Work kWorks[] = {
    {"fused", {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 2300, 1100, 3, "fused"},
    {"layered", {6, 9, 2}, RS_RELU, test::sgd(0.05, 0.9, false, 0), 600, 290, 3, "layered"},
    {"one step an epoch", {10, 20, 1}, RS_RELU, test::sgd(0.05, 0, false, 0), 1200, 1200, 6, "fused"},
};

constexpr size_t kArenaBytes = 4 << 20;

void submit(void* stream, const std::function<void()>& work) { simt::submit(static_cast<cudaStream_t>(stream), work); }

rs_communicator* communicator_of(int rank, double deadline) {
  char id[128];
  CHECK_OK(rs_nccl_unique_id(id));
  rs_communicator* communicator = nullptr;
  CHECK_OK(rs_nccl_communicator_create(id, 0, rank, 2, deadline, &communicator));
  return communicator;
}

// Two fits, so that the second finds the graph of the first; an evaluation on one rank alone costs that rank its graph.
std::vector<float> train(const Work& work, rs_communicator* communicator, rs_reduce reduce, bool disturbed) {
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  if (communicator) CHECK_OK(rs_trainer_set_communicator(trainer.get(), communicator, reduce));
  for (int again = 0; again < 2; ++again) {
    rs_fit fit = work.fit(true);
    while (!fit.done) CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    std::vector<float> y(static_cast<size_t>(work.rows * 4 * work.sizes.back()));
    const std::vector<float> x(static_cast<size_t>(work.rows * 4 * work.sizes.front()));
    if (disturbed) CHECK_OK(rs_trainer_predict(trainer.get(), x.data(), work.rows * 4, y.data()));
  }
  return test::parameters_of(trainer);
}

void has_the_bits_of_one(const Work& work, int rank, const char* fake) {
  const std::vector<float> alone = train(work, nullptr, RS_REDUCE_EXACT, false);
  rs_communicator* communicator = communicator_of(rank, 60);
  const int summed = of_fake<int>(fake, "fake_summed"), enqueued = of_fake<int>(fake, "fake_enqueued");
  CHECK(train(work, communicator, RS_REDUCE_EXACT, rank == 1) == alone, "%s: rank %d has other bits", work.name, rank);
  CHECK(of_fake<int>(fake, "fake_summed") - summed > of_fake<int>(fake, "fake_enqueued") - enqueued, "%s: no sum was in a graph",
        work.name);
  train(work, communicator, RS_REDUCE_FLOAT, false);
  rs_communicator_destroy(communicator);
}

// On a device that cannot record, steps are enqueued one by one on both ranks, be it one that can.
void goes_without_where_one_rank_cannot(int rank) {
  const Work& work = kWorks[0];
  const std::vector<float> alone = train(work, nullptr, RS_REDUCE_EXACT, false);
  simt::machine().graphs = rank == 0;
  rs_communicator* communicator = communicator_of(rank, 60);
  CHECK(train(work, communicator, RS_REDUCE_EXACT, false) == alone, "rank %d has other bits", rank);
  rs_communicator_destroy(communicator);
  simt::machine().reset();
}

void a_device_that_hangs_between_graphs_is_given_up(int rank, const char* fake) {
  const Work& work = kWorks[2];
  rs_communicator* communicator = communicator_of(rank, 1);
  {
    const Trainer trainer = work.trainer();
    const Dataset data = work.data();
    CHECK_OK(rs_trainer_set_communicator(trainer.get(), communicator, RS_REDUCE_EXACT));
    rs_fit fit = work.fit(true);
    fit.losses_capacity = 3;
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    const int aborted = of_fake<int>(fake, "fake_aborted");
    CHECK(fit.steps == 3, "%d steps", static_cast<int>(fit.steps));
    // The next fit begins with a sum by way of the host, whether all have a graph still: that is what hangs here.
    simt::machine().hangs = true;
    const rs_status status = rs_trainer_fit(trainer.get(), data.get(), &fit);
    simt::machine().hangs = false;
    CHECK(status == RS_COLLECTIVE_TIMEOUT && std::strstr(rs_last_error(), "not done within 1000 ms"), "%d: %s", status, rs_last_error());
    CHECK(of_fake<int>(fake, "fake_aborted") == aborted + 1, "not aborted");
  }
  rs_communicator_destroy(communicator);
}

void rank_of_two(int rank, const char* fake) {
  CHECK_OK(rs_nccl_load(fake));
  test::register_cuda();
  for (const Work& work : kWorks) has_the_bits_of_one(work, rank, fake);
  goes_without_where_one_rank_cannot(rank);
  a_device_that_hangs_between_graphs_is_given_up(rank, fake);
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
}

}  // namespace

int main(int count, char** arguments) {
  CHECK(count == 2, "usage: cuda_nccl_graph_test LIBRARY");
  void* arena = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(arena != MAP_FAILED, "no memory");
  of_fake<void*>(arguments[1], "fake_arena") = arena;
  of_fake<void (*)(void*, const std::function<void()>&)>(arguments[1], "fake_submit") = submit;
  const pid_t other = fork();
  CHECK(other >= 0, "no second process");
  rank_of_two(other == 0 ? 1 : 0, arguments[1]);
  if (other == 0) return 0;
  int status = 0;
  CHECK(waitpid(other, &status, 0) == other && status == 0, "rank 1 ended with %d", status);
  printf("graphs with NCCL: ok\n");
  return 0;
}
