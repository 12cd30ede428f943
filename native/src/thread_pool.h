// The threads that share out the blocks of a batch. One pool serves the whole process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <type_traits>

namespace rs {

class ThreadPool {
 public:
  static ThreadPool& instance();

  // Calls task(i, worker) for every i in [0, count), from this thread, which is worker 0, and from
  // workers 1 to at most `threads` - 1, and returns when all calls have. Tasks must not throw. While
  // another thread's tasks run, the caller does all of its own itself.
  template <typename Task>
  void run(int64_t count, int threads, Task&& task) {
    run(count, threads, &call<std::remove_reference_t<Task>>, &task);
  }

 private:
  using Function = void (*)(void* task, int64_t index, int worker);

  template <typename Task>
  static void call(void* task, int64_t index, int worker) {
    (*static_cast<Task*>(task))(index, worker);
  }

  ThreadPool() = default;

  void run(int64_t count, int threads, Function function, void* task);
  void grow(int helpers);
  void help(int helper, uint64_t seen);  // seen: the number of the last job before its first
  bool join(uint64_t* seen);
  void take_tasks(int worker);

  std::mutex owner_;  // held by the thread whose job runs
  int helpers_ = 0;

  // The job, which helpers may look at only between joining and leaving it. A helper that comes late
  // is not waited for: a busy machine may let it run only after many more jobs.
  Function function_ = nullptr;
  void* task_ = nullptr;
  int64_t count_ = 0;
  int job_helpers_ = 0;  // helpers numbered below this take part
  std::atomic<int64_t> next_{0};

  // The job's number, whether it may be joined, and how many helpers are in it.
  static constexpr uint64_t kJob = uint64_t{1} << 32, kOpen = uint64_t{1} << 31, kHelpers = kOpen - 1;
  std::atomic<uint64_t> state_{0};

  // Helpers that found no job for a while sleep here.
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<int> sleepers_{0};
};

// Processors this process may run on, at least 1.
int processor_count();

}  // namespace rs
