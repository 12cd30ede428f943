// An optimizer's settings, and how far it has come.
#pragma once

#include <cstdint>

#include "ringstep.h"

namespace rs::gpu {

struct OptimizerState {
  rs_optimizer settings;
  // Running products, as in native/src/optimizer.h; 1 at the start.
  double beta1_power;
  double beta2_power;
  int64_t steps;  // applied
};

}  // namespace rs::gpu
