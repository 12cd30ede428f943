// One move of an average of parameters (rs_average). Operations are those of native/src/cpu/cpu_trainer.cpp's
// add_to_average, so that the same parameters give the same bits on both engines.
#pragma once

#include <cstdint>

#include "ringstep.h"
#include "simt.h"

namespace rs::gpu {

struct AverageStep {
  bool happens;
  bool first;   // the first parameters are copied
  float share;  // of the way from the average to the parameters

  AverageStep() = default;
  // Of an average of so many parameters.
  __device__ __forceinline__ AverageStep(const rs_average& settings, int64_t averaged)
      : happens(true),
        first(averaged == 0),
        share(static_cast<float>(settings.kind == RS_EMA ? 1 - settings.ema_decay : 1 / static_cast<double>(averaged + 1))) {}

  __device__ __forceinline__ void move(float p, float& average) const {
    average = first ? p : average + share * (p - average);
  }
};

}  // namespace rs::gpu
