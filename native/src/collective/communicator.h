// The ranks of a job, as one of them sees them: sums across ranks, and an end to every wait.
//
// All ranks make the same calls in the same order. A rank uses its communicator from one thread at a time; only
// abort may be called from any. No call waits longer for a rank than the deadline. The first failure is final: every
// later call throws it again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "collective/element.h"
#include "collective/failure.h"

namespace rs::collective {

using Clock = std::chrono::steady_clock;
using Deadline = std::chrono::milliseconds;

class Communicator {
 public:
  Communicator(int rank, int size, Deadline deadline) : rank_(rank), size_(size), deadline_(deadline) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual const char* name() const = 0;
  int rank() const { return rank_; }
  int size() const { return size_; }
  Deadline deadline() const { return deadline_; }

  // values[i] = the sum over ranks of their values[i]: the same bits on every rank. Floats are added in an order
  // that depends on the number of ranks and on the backend; integers have none.
  void all_reduce(void* values, int64_t count, Element element);

  // bytes = those of `root`.
  void broadcast(void* bytes, int64_t count, int root);

  // all [size][count] = every rank's `count` bytes.
  void all_gather(const void* own, int64_t count, void* all);

  // Returns once every rank has called it.
  void barrier();

  // How many seconds one of `sums` sums of `bytes` of floats takes, one right behind the other: of values that lie where
  // this communicator's trainers have them, in the host's memory or in a GPU's.
  double time_sums(int64_t bytes, int64_t sums);

  // Throws the failure of this communicator, if it has failed, and lets the others know.
  void check() {
    if (aborted()) fail();
  }

  // From any thread: ends an operation under way and all later ones, on this rank at once and on the others as soon
  // as they hear of it. The first failure counts.
  void abort(int culprit, const std::string& reason);

  // Leaves the others, who then fail where they wait for this rank. Waits for nobody.
  virtual void close() = 0;

 protected:
  bool aborted() const { return failed_.load(std::memory_order_acquire); }

  // The backend's sum; size() is above 1 and count above 0.
  virtual void reduce(void* values, int64_t count, Element element) = 0;

  // The same as time_sums, for a size() above 1.
  virtual double time_reduce(int64_t bytes, int64_t sums);

  // For backends, amid an operation.
  void throw_if_aborted() const {
    if (aborted()) throw *failure_;
  }

  // Called by abort, on its thread: ends waits for other ranks, after which throw_if_aborted() throws.
  virtual void wake(const Failure& failure) = 0;

  // Called once, by the thread that uses the communicator: tells the others why.
  virtual void report(const Failure& failure) = 0;

 private:
  [[noreturn]] void fail();
  bool record(const Failure& failure);

  const int rank_, size_;
  const Deadline deadline_;
  std::atomic<bool> failed_{false};
  mutable std::mutex failure_mutex_;
  std::unique_ptr<Failure> failure_;  // never changed once it is there
  bool reported_ = false;             // of the operations' thread
};

}  // namespace rs::collective
