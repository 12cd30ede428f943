#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "optimizer.h"

namespace rs::gpu {

// add_blocks and optimizer_step in one launch, with the same bits, where no other device has a share of the batch.
//   block_gradients [blocks][length], the loss sums at parameter_count; the rest as for optimizer_step
void add_blocks_step(rs_optimizer_kind kind, float gradient_scale, const float* block_gradients, int64_t blocks,
                     int64_t length, int64_t parameter_count, float* parameters, float* m, float* v, StepState* state,
                     cudaStream_t stream);

}  // namespace rs::gpu
