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
  void help(int helper, uint64_t seen);  // seen: the last generation before its first job
  void take_tasks(int worker);

  std::mutex owner_;  // held by the thread whose job runs

  // The job, announced by a new generation_. Helpers numbered below job_helpers_ take part.
  Function function_ = nullptr;
  void* task_ = nullptr;
  int64_t count_ = 0;
  int job_helpers_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<int> unfinished_helpers_{0};
  std::atomic<uint64_t> generation_{0};

  // Helpers that found no job for a while sleep here.
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<int> sleepers_{0};

  int helpers_ = 0;
};

// Processors this process may run on, at least 1.
int processor_count();

}  // namespace rs
