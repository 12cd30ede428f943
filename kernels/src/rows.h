// Which rows of a dataset a kernel reads.
#pragma once

#include <cstdint>

#include "device.h"
#include "shuffle.h"

namespace rs::gpu {

// Row i of a batch is the dataset's row first + i, or where it is shuffled the one that `shuffle` has there.
// x and y lie at multiples of 16 bytes.
struct Rows {
  const float* x;  // [*, inputs]
  const float* y;  // [*, outputs]
  int64_t first;
  Shuffle shuffle;
  bool shuffled;

  RS_HOST_DEVICE int64_t at(int64_t i) const { return shuffled ? shuffle.at(first + i) : first + i; }
};

}  // namespace rs::gpu
