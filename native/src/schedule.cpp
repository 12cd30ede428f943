#include "schedule.h"

#include <algorithm>
#include <limits>

namespace rs {
namespace {

constexpr double kPi = 3.14159265358979323846;

// The formulas below use additions and multiplications alone: every machine gives the same bits, as cos() and pow()
// need not.

// The series of cos(x) and sin(x), for x from 0 to pi / 4: the terms left out are below 1e-17.
double series(double x, double first, int exponent) {
  double sum = 0, term = first;
  for (int n = exponent; n < 20; n += 2) {
    sum += term;
    term *= -x * x / ((n + 1.0) * (n + 2.0));
  }
  return sum;
}

// cos(pi t) for t from 0 to 1
double cos_pi(double t) {
  if (t > 0.5) return -cos_pi(1 - t);
  return t <= 0.25 ? series(kPi * t, 1, 0) : series(kPi * (0.5 - t), kPi * (0.5 - t), 1);
}

double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2) result *= base;
  }
  return result;
}

int64_t product(int64_t a, int64_t b) {
  int64_t result;
  return __builtin_mul_overflow(a, b, &result) ? std::numeric_limits<int64_t>::max() : result;
}

}  // namespace

Schedule::Schedule(const rs_fit& fit, double lr, int64_t rows)
    : settings_(fit.schedule), lr_(lr), scale_(fit.lr_scale > 0 ? fit.lr_scale : 1) {
  const int64_t steps_per_epoch = 1 + (rows - 1) / fit.batch;
  decay_steps_ = product(std::max<int64_t>(1, settings_.step_epochs), steps_per_epoch);
  cosine_steps_ = std::max<int64_t>(1, product(fit.epochs, steps_per_epoch) - settings_.warmup_steps);
}

double Schedule::rate(int64_t steps) const {
  const int64_t t = steps - settings_.warmup_steps;
  if (t < 0) {
    const double way = static_cast<double>(steps) / static_cast<double>(settings_.warmup_steps);
    return scale_ * lr_ * (settings_.warmup_start + (1 - settings_.warmup_start) * way);
  }
  if (settings_.kind == RS_STEP_DECAY) return scale_ * lr_ * power(settings_.gamma, t / decay_steps_);
  if (settings_.kind == RS_COSINE) {
    const double way = std::min(1.0, static_cast<double>(t) / static_cast<double>(cosine_steps_));
    return scale_ * (settings_.min_lr + (lr_ - settings_.min_lr) * (1 + cos_pi(way)) / 2);
  }
  return scale_ * lr_;
}

int64_t Schedule::steps_at_rate(int64_t steps) const {
  const int64_t t = steps - settings_.warmup_steps;
  if (t < 0 || settings_.kind == RS_COSINE) return 1;
  return settings_.kind == RS_STEP_DECAY ? decay_steps_ - t % decay_steps_ : std::numeric_limits<int64_t>::max();
}

}  // namespace rs
