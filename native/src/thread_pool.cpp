#include "thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

namespace rs {
namespace {

// Long enough to meet the next step of a fit, short enough to leave the processor to others.
constexpr auto kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

template <typename Condition>
bool spin_until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (condition()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

}  // namespace

ThreadPool& ThreadPool::instance() {
  // Never destroyed: helpers may outlive static destructors.
  static ThreadPool* pool = new ThreadPool;
  return *pool;
}

void ThreadPool::run(int64_t count, int threads, Function function, void* task) {
  const int wanted = static_cast<int>(std::min<int64_t>(threads, count)) - 1;
  std::unique_lock<std::mutex> owner(owner_, std::defer_lock);
  if (wanted < 1 || !owner.try_lock()) {
    for (int64_t i = 0; i < count; ++i) function(task, i, 0);
    return;
  }
  grow(wanted);
  function_ = function;
  task_ = task;
  count_ = count;
  job_helpers_ = wanted;
  next_.store(0, std::memory_order_relaxed);
  state_.store((state_.load(std::memory_order_relaxed) / kJob + 1) * kJob | kOpen, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> lock(sleep_);
    wake_.notify_all();
  }
  take_tasks(0);
  state_.fetch_and(~kOpen, std::memory_order_acquire);
  const auto alone = [&] { return (state_.load(std::memory_order_acquire) & kHelpers) == 0; };
  // A helper that lost its processor amid a task may need ours.
  while (!spin_until(alone)) std::this_thread::yield();
}

void ThreadPool::grow(int helpers) {
  try {
    for (; helpers_ < helpers; ++helpers_) {
      std::thread(&ThreadPool::help, this, helpers_, state_.load() / kJob).detach();
    }
  } catch (const std::system_error&) {
    // The system has no more threads to give: those we have do the work.
  }
}

void ThreadPool::take_tasks(int worker) {
  for (;;) {
    const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= count_) return;
    function_(task_, i, worker);
  }
}

// Joins the job under way unless it is over or was seen before.
bool ThreadPool::join(uint64_t* seen) {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (state / kJob != *seen && (state & kOpen)) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) {
      *seen = state / kJob;
      return true;
    }
  }
  *seen = state / kJob;
  return false;
}

void ThreadPool::help(int helper, uint64_t seen) {
  for (;;) {
    const auto called = [&] { return state_.load(std::memory_order_seq_cst) / kJob != seen; };
    if (!spin_until(called)) {
      std::unique_lock<std::mutex> lock(sleep_);
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, called);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    if (!join(&seen)) continue;
    if (helper < job_helpers_) take_tasks(helper + 1);
    state_.fetch_sub(1, std::memory_order_release);
  }
}

int processor_count() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace rs
