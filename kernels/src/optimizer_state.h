// An optimizer's settings, and how far it has come.
#pragma once

#include <cstdint>

#include "device.h"
#include "ringstep.h"
#include "schedule.h"

namespace rs::gpu {

struct Progress {
  // Running products, as in native/src/optimizer.h; 1 at the start.
  double beta1_power;
  double beta2_power;
  int64_t steps;      // applied
  int64_t fit_steps;  // of those, the ones in the fit under way: what a schedule counts
};

struct OptimizerState : Progress {
  rs_optimizer settings;
  bool scheduled;     // the fit under way has a schedule
  Schedule schedule;  // how the learning rates depend on that of the settings

  // Of the next step from there.
  RS_HOST_DEVICE double lr(const Progress& from) const {
    return scheduled ? schedule.rate(settings.lr, from.fit_steps) : settings.lr;
  }
};

// Of an optimizer that has not taken a step.
inline OptimizerState fresh_state(const rs_optimizer& settings) {
  OptimizerState state = {};
  state.settings = settings;
  state.beta1_power = state.beta2_power = 1;
  return state;
}

}  // namespace rs::gpu
