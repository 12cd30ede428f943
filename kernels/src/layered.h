#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "blocks.h"
#include "network.h"
#include "rows.h"

namespace rs::gpu {

// The layered path: any network, one kernel an operation. It takes a batch in chunks, so that its memory does
// not grow with the batch; how it is cut into chunks changes no bit.

// Where a pass starts from, all in device memory.
struct LayeredPass {
  const Network& network;
  const float* parameters;    // [network.parameter_count]
  const float* loss_weights;  // [outputs]: what each output's squared error counts in the loss
  float* workspace;           // layered_workspace_length(network, chunk_rows) floats, at a multiple of 256 bytes
  int64_t chunk_rows;
};

// Rows of a chunk: whole blocks of `blocks.rows`, about 64 million floats of workspace, and no more than the
// batch has.
int64_t layered_chunk_rows(const Network& network, const Blocks& blocks);

// Floats.
int64_t layered_workspace_length(const Network& network, int64_t chunk_rows);

// For each block in [begin, end) of the batch that `rows` starts, forward, loss and backward:
//   block_gradients[block - begin] [length]: for every parameter the sum over the block's rows of the derivative
//   of the squared errors, then the loss sum, then zeros;
//   length = parameter_count + 1, up to the next multiple of 16
void layered_gradient(const LayeredPass& pass, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end,
                      float* block_gradients, int64_t length, cudaStream_t stream);

// For each block in [begin, end): losses[block - begin], its loss sum.
void layered_loss(const LayeredPass& pass, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end,
                  float* losses, cudaStream_t stream);

// The predictions for `count` rows; rows.y may be null.
//   predictions [count, outputs]
void layered_predict(const LayeredPass& pass, const Rows& rows, int64_t count, float* predictions, cudaStream_t stream);

}  // namespace rs::gpu
