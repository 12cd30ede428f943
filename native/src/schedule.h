// The learning rate of every step of a fit: a function of the step alone, so that a fit may pause anywhere.
#pragma once

#include <cstdint>

#include "ringstep.h"

namespace rs {

class Schedule {
 public:
  // Of a fit on `rows` rows by a trainer whose learning rate is `lr`.
  Schedule(const rs_fit& fit, double lr, int64_t rows);

  // Of the step after `steps` ones.
  double rate(int64_t steps) const;

  // Steps from there on that have one rate; at least 1.
  int64_t steps_at_rate(int64_t steps) const;

 private:
  const rs_schedule settings_;
  const double lr_;
  const double scale_;
  int64_t decay_steps_ = 0;   // between two drops
  int64_t cosine_steps_ = 0;  // from the end of the warm-up to that of the fit
};

}  // namespace rs
