// When a fit shall return.
#pragma once

#include <chrono>

namespace rs::cuda {

class Deadline {
 public:
  // So many seconds from now; never, if 0.
  explicit Deadline(double seconds) : seconds_(seconds) {}

  bool is_past() const {
    return seconds_ > 0 && std::chrono::duration<double>(Clock::now() - start_).count() >= seconds_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  const double seconds_;
  const Clock::time_point start_ = Clock::now();
};

}  // namespace rs::cuda
