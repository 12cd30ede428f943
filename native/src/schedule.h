// The learning rate of every step of a fit: a function of the step alone, so that a fit may pause anywhere.
#pragma once

#include <cstdint>

#include "device.h"
#include "ringstep.h"

namespace rs {

class Schedule {
 public:
  Schedule() = default;  // not a schedule yet

  // Of a fit on `rows` rows by a trainer whose learning rate is `lr`.
  Schedule(const rs_fit& fit, double lr, int64_t rows);

  // Of the step after `steps` ones.
  double rate(int64_t steps) const { return rate(lr_, steps); }

  // The same for a trainer whose learning rate is another.
  RS_HOST_DEVICE double rate(double lr, int64_t steps) const {
    const int64_t t = steps - settings_.warmup_steps;
    if (t < 0) {
      const double way = static_cast<double>(steps) / static_cast<double>(settings_.warmup_steps);
      return scale_ * lr * (settings_.warmup_start + (1 - settings_.warmup_start) * way);
    }
    if (settings_.kind == RS_STEP_DECAY) return scale_ * lr * power(settings_.gamma, t / decay_steps_);
    if (settings_.kind == RS_COSINE) {
      const double way = t < cosine_steps_ ? static_cast<double>(t) / static_cast<double>(cosine_steps_) : 1.0;
      return scale_ * (settings_.min_lr + (lr - settings_.min_lr) * (1 + cos_pi(way)) / 2);
    }
    return scale_ * lr;
  }

  // Steps from there on that have one rate; at least 1.
  int64_t steps_at_rate(int64_t steps) const;

  // Whether all steps have one rate.
  bool is_constant() const { return settings_.kind == RS_CONSTANT && settings_.warmup_steps == 0; }

 private:
  // The formulas use additions, multiplications and divisions alone: every machine gives the same bits, as cos() and
  // pow() need not.

  // cos(pi t) for t from 0 to 1, by the series of cos(x) or sin(x) for x from 0 to pi / 4: the terms left out are below
  // 1e-17.
  RS_HOST_DEVICE static double cos_pi(double t) {
    constexpr double kPi = 3.14159265358979323846;
    const bool second_half = t > 0.5;
    if (second_half) t = 1 - t;
    const bool cosine = t <= 0.25;
    const double x = cosine ? kPi * t : kPi * (0.5 - t);
    double sum = 0, term = cosine ? 1 : x;
    RS_NO_UNROLL
    for (int n = cosine ? 0 : 1; n < 20; n += 2) {
      sum += term;
      term *= -x * x / ((n + 1.0) * (n + 2.0));
    }
    return second_half ? -sum : sum;
  }

  RS_HOST_DEVICE static double power(double base, int64_t exponent) {
    double result = 1;
    RS_NO_UNROLL
    for (; exponent > 0; exponent /= 2, base *= base) {
      if (exponent % 2) result *= base;
    }
    return result;
  }

  rs_schedule settings_;
  double lr_;
  double scale_;
  int64_t decay_steps_;   // between two drops
  int64_t cosine_steps_;  // from the end of the warm-up to that of the fit
};

}  // namespace rs
