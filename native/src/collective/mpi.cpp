// MPI waits for ever and ends the process on errors; neither is for a library. So nothing blocks: requests are begun
// and then tested until they are done or the deadline is over, and errors are returned.
//
// Small sums go by messages between pairs (all_reduce.h): they are as quick as MPI's own, and when one does not come
// it is known whose. Large ones are MPI's.
#include "collective/mpi.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "collective/all_reduce.h"
#include "collective/mpi_library.h"

namespace rs::collective {
namespace {

constexpr int kThreadSerialized = 2;
constexpr int kTag = 7;

// Up to here messages between pairs are used.
constexpr int64_t kSmallBytes = 32 << 10;

// Values in one call of MPI, which counts in 32 bits.
constexpr int64_t kMostValues = int64_t{1} << 28;

// Tests between two looks at the clock, and at whether others want the processor.
constexpr int kTests = 16;

// Tests after which whoever is waited for is late, and may need our processor.
constexpr int kPatience = 1 << 14;

// Where a job has failed, finalizing might wait for the dead.
std::atomic<bool> some_job_failed{false};

void finalize_at_exit() {
  const MpiLibrary& mpi = mpi_library();
  int finalized = 0;
  mpi.finalized(&finalized);
  if (!finalized && !some_job_failed) mpi.finalize();
}

void require(int code, const char* function) {
  if (code != 0) {
    throw Failure(Failure::kBackend, Failure::kNoRank, std::string(function) + ": " + mpi_library().text_of(code));
  }
}

void initialize() {
  const MpiLibrary& mpi = mpi_library();
  int initialized = 0, finalized = 0, provided = 0;
  require(mpi.finalized(&finalized), "MPI_Finalized");
  if (finalized) throw Failure(Failure::kBackend, Failure::kNoRank, "MPI has been finalized in this process");
  require(mpi.initialized(&initialized), "MPI_Initialized");
  if (initialized) return;
  require(mpi.init_thread(nullptr, nullptr, kThreadSerialized, &provided), "MPI_Init_thread");
  if (provided < kThreadSerialized) {
    throw Failure(Failure::kBackend, Failure::kNoRank, "this MPI does not allow calls from several threads in turn");
  }
  std::atexit(finalize_at_exit);
}

class Mpi final : public Communicator, private Link {
 public:
  Mpi(int rank, int size, Deadline deadline) : Communicator(rank, size, deadline) {
    require(mpi_.comm_dup(mpi_.world, &comm_), "MPI_Comm_dup");
    require(mpi_.comm_set_errhandler(comm_, mpi_.errors_return), "MPI_Comm_set_errhandler");
  }
  ~Mpi() override { close(); }

  const char* name() const override { return "mpi"; }

  void close() override {
    // Freeing is collective in name; after a failure the others may never come.
    if (comm_ != 0 && !aborted()) mpi_.comm_free(&comm_);
    comm_ = 0;
  }

 protected:
  void reduce(void* values, int64_t count, Element element) override {
    // In memory of our own, since MPI may go on using it after we have given up.
    const size_t bytes = static_cast<size_t>(count * size_of(element));
    if (values_.size() < bytes) values_.resize(bytes);
    std::memcpy(values_.data(), values, bytes);
    if (static_cast<int64_t>(bytes) <= kSmallBytes) {
      reduce_by_messages(*this, rank(), size(), values_.data(), count, element, scratch_);
    } else {
      reduce_by_mpi(values_.data(), count, element);
    }
    std::memcpy(values, values_.data(), bytes);
  }

  // The tests of requests see it.
  void wake(const Failure&) override {}

  // MPI has no word for it: the others hear of it by the rendezvous, or find the deadline over.
  void report(const Failure&) override { some_job_failed = true; }

 private:
  void reduce_by_mpi(char* values, int64_t count, Element element) {
    for (int64_t done = 0; done < count; done += kMostValues) {
      const int part = static_cast<int>(std::min(kMostValues, count - done));
      char* first = values + done * size_of(element);
      MpiLibrary::Handle request[1] = {};
      require(mpi_.iallreduce(mpi_.in_place, first, part, type_of(element), mpi_.sum, comm_, request), "MPI_Iallreduce");
      const int nobody[1] = {Failure::kNoRank};
      wait(request, nobody, 1);
    }
  }

  MpiLibrary::Handle type_of(Element element) const {
    switch (element) {
      case Element::kFloat32: return mpi_.float32;
      case Element::kFloat64: return mpi_.float64;
      default: return mpi_.int64;
    }
  }

  // All messages of a small sum consist of 32-bit units.
  void exchange(int to, const void* out, int64_t out_bytes, int from, void* in, int64_t in_bytes) override {
    MpiLibrary::Handle requests[2] = {};
    int peers[2] = {}, count = 0;
    if (from != kNobody) {
      peers[count] = from;
      require(mpi_.irecv(in, static_cast<int>(in_bytes / 4), mpi_.float32, from, kTag, comm_, &requests[count++]), "MPI_Irecv");
    }
    if (to != kNobody) {
      peers[count] = to;
      require(mpi_.isend(out, static_cast<int>(out_bytes / 4), mpi_.float32, to, kTag, comm_, &requests[count++]), "MPI_Isend");
    }
    wait(requests, peers, count);
  }

  void wait(MpiLibrary::Handle* requests, const int* peers, int count) {
    Clock::time_point end;
    bool timed = false;
    for (int i = 0; i < count; ++i) {
      for (int tests = 1;; ++tests) {
        int done = 0;
        const int code = mpi_.test(&requests[i], &done, mpi_.status_ignore);
        if (code != 0) throw Failure(Failure::kMismatch, peers[i], "MPI_Test: " + mpi_.text_of(code) + who(peers[i]));
        if (done) break;
        if (tests % kTests != 0) continue;
        if (aborted()) give_up(requests + i, count - i);
        const auto now = Clock::now();
        if (!timed) end = now + deadline();
        timed = true;
        if (now >= end) late(requests + i, count - i, peers[i]);
        if (tests < kPatience) {
          sched_yield();
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
      }
    }
  }

  static std::string who(int rank) { return rank < 0 ? "" : ", with rank " + std::to_string(rank); }

  [[noreturn]] void late(MpiLibrary::Handle* requests, int count, int peer) {
    cancel(requests, count);
    throw Failure(Failure::kTimeout, peer,
                  (peer < 0 ? std::string("some rank") : "rank " + std::to_string(peer)) + " did not arrive within " +
                      std::to_string(deadline().count()) + " ms");
  }

  [[noreturn]] void give_up(MpiLibrary::Handle* requests, int count) {
    cancel(requests, count);
    throw_if_aborted();
    throw Failure(Failure::kAborted, Failure::kNoRank, "aborted");
  }

  // What MPI may still write to is never freed.
  void cancel(MpiLibrary::Handle* requests, int count) {
    for (int i = 0; i < count; ++i) mpi_.cancel(&requests[i]);
    for (std::vector<char>* buffer : {&values_, &scratch_}) new std::vector<char>(std::move(*buffer));
  }

  const MpiLibrary& mpi_ = mpi_library();
  MpiLibrary::Handle comm_ = 0;
  std::vector<char> values_, scratch_;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi(Deadline deadline) {
  initialize();
  const MpiLibrary& mpi = mpi_library();
  int rank = 0, size = 0;
  require(mpi.comm_rank(mpi.world, &rank), "MPI_Comm_rank");
  require(mpi.comm_size(mpi.world, &size), "MPI_Comm_size");
  return std::make_unique<Mpi>(rank, size, deadline);
}

std::string mpi_version() { return mpi_library().version; }

}  // namespace rs::collective
