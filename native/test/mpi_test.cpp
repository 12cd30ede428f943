// Ranks over MPI: run by mpirun, as `mpi_test sums`, `mpi_test hang` or `mpi_test abort`.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "check.h"
#include "collective/mpi.h"

using namespace rs::collective;

namespace {

void sums() {
  const auto ranks = make_mpi(Deadline(60000));
  const int size = ranks->size();
  CHECK(size == 3 && std::string(ranks->name()) == "mpi", "%d ranks", size);
  for (int64_t count : {1, 7, 241, 8192, 8193, 100000, 1000003}) {
    std::vector<int64_t> integers(static_cast<size_t>(count));
    std::vector<float> floats(integers.size());
    std::vector<double> doubles(integers.size());
    for (size_t i = 0; i < integers.size(); ++i) {
      integers[i] = static_cast<int64_t>(i) * 1000003 - ranks->rank();
      floats[i] = static_cast<float>(i % 1000);
      doubles[i] = 0.5 * static_cast<double>(i);
    }
    ranks->all_reduce(integers.data(), count, Element::kInt64);
    ranks->all_reduce(floats.data(), count, Element::kFloat32);
    ranks->all_reduce(doubles.data(), count, Element::kFloat64);
    for (size_t i = 0; i < integers.size(); ++i) {
      CHECK(integers[i] == static_cast<int64_t>(i) * 3000009 - 3 && floats[i] == static_cast<float>(3 * (i % 1000)) &&
                doubles[i] == 1.5 * static_cast<double>(i), "value %zu of %lld", i, static_cast<long long>(count));
    }
  }
  char word[6] = "empty";
  if (ranks->rank() == 2) std::strcpy(word, "right");
  ranks->broadcast(word, 6, 2);
  CHECK(std::strcmp(word, "right") == 0, "broadcast: %s", word);
  ranks->barrier();
  ranks->close();
  // A second one, as for the next job of the same process.
  make_mpi(Deadline(60000))->barrier();
}

[[noreturn]] void end(const Communicator& ranks, const Failure& failure) {
  std::printf("rank %d: %s\n", ranks.rank(), failure.what());
  std::fflush(stdout);
  // MPI cannot be finalized without the others; give them time to say theirs before mpirun ends them.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  _exit(0);
}

// Rank 2 does not come: rank 0 or 1 finds out within the deadline, and says so.
void rank_2_hangs() {
  const auto ranks = make_mpi(Deadline(500));
  ranks->barrier();
  if (ranks->rank() == 2) std::this_thread::sleep_for(std::chrono::seconds(5));
  try {
    ranks->barrier();
  } catch (const Failure& failure) {
    end(*ranks, failure);
  }
}

// From another thread.
void one_is_aborted() {
  const auto ranks = make_mpi(Deadline(60000));
  ranks->barrier();
  if (ranks->rank() == 2) std::this_thread::sleep_for(std::chrono::seconds(5));
  std::thread aborter([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ranks->abort(2, "rank 2 was seen to fail");
  });
  try {
    ranks->barrier();
    ranks->barrier();
  } catch (const Failure& failure) {
    aborter.join();
    end(*ranks, failure);
  }
  aborter.join();
}

}  // namespace

int main(int, char** argv) {
  const std::string what = argv[1] ? argv[1] : "sums";
  if (what == "hang") {
    rank_2_hangs();
  } else if (what == "abort") {
    one_is_aborted();
  } else {
    sums();
  }
  return 0;
}
