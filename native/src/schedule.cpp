#include "schedule.h"

#include <algorithm>
#include <limits>

namespace rs {
namespace {

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

int64_t Schedule::steps_at_rate(int64_t steps) const {
  const int64_t t = steps - settings_.warmup_steps;
  if (t < 0 || settings_.kind == RS_COSINE) return 1;
  return settings_.kind == RS_STEP_DECAY ? decay_steps_ - t % decay_steps_ : std::numeric_limits<int64_t>::max();
}

}  // namespace rs
