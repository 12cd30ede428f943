// Says when a fit shall pause. Looking at the clock costs as much as a step of a small network, so it
// is done only after a certain amount of work.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rs {

class Pause {
 public:
  // Due after so many seconds from now; never, if 0.
  Pause(double seconds, int64_t work_per_row) : seconds_(seconds), work_per_row_(work_per_row) {}

  // Whether to pause, after `rows` more rows of work.
  bool due(int64_t rows) {
    if (seconds_ <= 0) return false;
    work_ += rows * work_per_row_;
    if (work_ < kWork) return false;
    work_ = 0;
    due_ = std::chrono::duration<double>(Clock::now() - start_).count() >= seconds_;
    return due_;
  }

  bool is_due() const { return due_; }

  // Rows that are worth one look at the clock.
  int64_t rows_between_looks() const { return std::max<int64_t>(1, kWork / work_per_row_); }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr int64_t kWork = 1 << 18;  // parameters used, between two looks

  const double seconds_;
  const int64_t work_per_row_;
  const Clock::time_point start_ = Clock::now();
  int64_t work_ = 0;
  bool due_ = false;
};

}  // namespace rs
