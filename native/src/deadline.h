// When a fit has to return.
#pragma once

#include <algorithm>
#include <chrono>

namespace rs {

class Deadline {
 public:
  // So many seconds from now; never, if 0.
  explicit Deadline(double seconds) : seconds_(seconds) {}

  bool is_past() const { return seconds_ > 0 && left() <= 0; }

  // 0 where there is no end.
  double seconds_left() const { return seconds_ > 0 ? std::max(left(), 1e-9) : 0; }

 private:
  using Clock = std::chrono::steady_clock;

  double left() const { return seconds_ - std::chrono::duration<double>(Clock::now() - start_).count(); }

  const double seconds_;
  const Clock::time_point start_ = Clock::now();
};

}  // namespace rs
