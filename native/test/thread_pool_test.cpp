// Every task runs exactly once, on a worker that runs nothing else, and is over when run returns.
#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "check.h"
#include "random.h"
#include "sanitizers.h"

using rs::ThreadPool;
using test::Random;

namespace {

constexpr int kJobs = TEST_SLOW ? 20000 : 200000;
constexpr int kMostTasks = 40, kMostThreads = 9;

// What one job's tasks leave behind. `runs` is not atomic: ThreadSanitizer sees two runs of one task,
// and a task that run did not wait for.
class Job {
 public:
  explicit Job(int64_t tasks) : runs_(static_cast<size_t>(tasks)) {}

  void run(int threads) {
    const int64_t tasks = static_cast<int64_t>(runs_.size());
    const int most_workers = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, tasks)));
    const std::thread::id caller = std::this_thread::get_id();
    ThreadPool::instance().run(tasks, threads, [&](int64_t i, int worker) {
      CHECK(i >= 0 && i < tasks, "task %lld of %lld", static_cast<long long>(i), static_cast<long long>(tasks));
      CHECK(worker >= 0 && worker < most_workers, "worker %d of %d", worker, most_workers);
      CHECK((worker == 0) == (std::this_thread::get_id() == caller), "the caller, and no other, is worker 0");
      CHECK(!busy_[worker].exchange(true), "worker %d twice at once", worker);
      ++runs_[static_cast<size_t>(i)];
      workers_ |= 1u << worker;
      busy_[worker] = false;
    });
    for (size_t i = 0; i < runs_.size(); ++i) CHECK(runs_[i] == 1, "task %zu ran %d times", i, runs_[i]);
  }

  bool had_helpers() const { return workers_ > 1; }

 private:
  std::vector<int> runs_;
  std::atomic<bool> busy_[kMostThreads] = {};
  std::atomic<unsigned> workers_{0};
};

// Returns how many jobs had help.
int run_random_jobs(int jobs, uint64_t seed) {
  Random random(seed);
  int helped = 0;
  for (int k = 0; k < jobs; ++k) {
    Job job(random.below(kMostTasks));
    // Mostly few threads, as on a machine that has them; at times more than any.
    const int most_threads = random.below(20) == 0 ? kMostThreads : 3;
    job.run(1 + static_cast<int>(random.below(most_threads)));
    helped += job.had_helpers();
  }
  return helped;
}

void grows() {
  for (int threads = 1; threads <= kMostThreads; ++threads) Job(kMostTasks).run(threads);
  for (int threads = kMostThreads; threads >= 0; --threads) Job(kMostTasks).run(threads);
}

// All workers at once: each waits for the others.
void uses_all_its_threads() {
  constexpr int kThreads = 4;
  std::atomic<int> arrived{0};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  ThreadPool::instance().run(kThreads, kThreads, [&](int64_t, int) {
    ++arrived;
    while (arrived < kThreads) {
      CHECK(std::chrono::steady_clock::now() < end, "%d threads of %d came", arrived.load(), kThreads);
      std::this_thread::yield();
    }
  });
}

// Idle helpers fall asleep at some moment: jobs come before, at and after it.
void wakes_up_after_a_rest() {
  Random random(2);
  for (int k = 0; k < 300; ++k) {
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(k % 10 == 0 ? 5000 : 120)));
    Job(kMostTasks).run(3);
  }
  uses_all_its_threads();
}

// One thread has the helpers, the other works alone.
void serves_two_threads_at_once() {
  std::thread other([] { run_random_jobs(kJobs / 10, 3); });
  run_random_jobs(kJobs / 10, 4);
  other.join();
}

void counts_processors() {
  const int count = rs::processor_count();
  CHECK(count >= 1 && count <= std::max(1, static_cast<int>(std::thread::hardware_concurrency())), "%d processors", count);
}

}  // namespace

int main() {
  counts_processors();
  const int helped = run_random_jobs(kJobs, 1);
  grows();
  uses_all_its_threads();
  wakes_up_after_a_rest();
  serves_two_threads_at_once();
  std::printf("%d jobs, %d with helpers\n", kJobs, helped);
  return 0;
}
