// A word of memory that threads sleep on until another changes it: what a condition variable is made of, without its
// mutex, for which all that are woken would queue.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

namespace rs::collective {

class Futex {
 public:
  uint32_t value() const { return word_.load(std::memory_order_seq_cst); }

  // Sleeps while the word is `seen`, and for no longer than `most`. May return earlier.
  void sleep(uint32_t seen, std::chrono::nanoseconds most) {
    const timespec time = {static_cast<time_t>(most.count() / 1000000000), static_cast<long>(most.count() % 1000000000)};
    // Announced before the kernel compares the word, as wake_all changes it before it looks for sleepers.
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    syscall(SYS_futex, address(), FUTEX_WAIT_PRIVATE, seen, &time, nullptr, 0);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

  void wake_all() {
    word_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) syscall(SYS_futex, address(), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  uint32_t* address() { return reinterpret_cast<uint32_t*>(&word_); }

  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "the kernel looks at the word itself");
  std::atomic<uint32_t> word_{0};
  std::atomic<int> sleepers_{0};
};

}  // namespace rs::collective
