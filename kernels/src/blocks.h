// How a batch is cut into blocks of rows.
//
// The cut depends on the batch and the network alone. Within a block the order of additions is fixed, and sums
// of blocks are added exactly (add_blocks.h), so the bits do not depend on how the blocks are shared out among
// thread blocks, devices and ranks.
#pragma once

#include <cstdint>

#include "device.h"

namespace rs::gpu {

struct Blocks {
  int64_t batch;
  int64_t rows;   // of each block but the last: a power of two, at least 64
  int64_t count;

  RS_HOST_DEVICE Blocks(int64_t batch, int64_t parameter_count)
      : batch(batch), rows(block_rows(batch, parameter_count)), count((batch + rows - 1) / rows) {}

  RS_HOST_DEVICE int64_t first(int64_t block) const { return block * rows; }
  RS_HOST_DEVICE int64_t size(int64_t block) const {
    const int64_t left = batch - first(block);
    return left < rows ? left : rows;
  }

 private:
  // Small networks take about 400 blocks at once on a large GPU, so a few thousand keep all of it busy to the
  // end; yet a block should have a thousand rows to pay for reducing and adding up its gradient. Of other
  // networks all gradients must fit into 64 MB, or 8 of them.
  RS_HOST_DEVICE static int64_t block_rows(int64_t batch, int64_t parameter_count) {
    if (parameter_count < 2048) {
      const int64_t shared = clamp(power_of_two(batch, 1024), 128, 1024), least = power_of_two(batch, 4096);
      return shared > least ? shared : least;
    }
    const int64_t least = power_of_two(batch, clamp((int64_t{1} << 24) / parameter_count, 8, 512));
    return least > 64 ? least : 64;
  }

  // The least power of two p with p * count >= batch.
  RS_HOST_DEVICE static int64_t power_of_two(int64_t batch, int64_t count) {
    int64_t p = 1;
    while (p < (batch + count - 1) / count) p *= 2;
    return p;
  }

  RS_HOST_DEVICE static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
  }
};

}  // namespace rs::gpu
