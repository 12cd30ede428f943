// The gradient of one batch, on whichever path the batch takes.
#pragma once

#include "add_blocks.h"
#include "blocks.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/path.h"
#include "layered.h"
#include "network.h"
#include "rows.h"

namespace rs::cuda {

// What a squared error counts in the loss, for each output; kernels for one output take it as a value.
struct LossWeights {
  const float* all;  // [outputs], on the device
  float first;
};

struct BlockGradients {
  const float* all;  // [count][length]
  int64_t count;
};

class Gradient {
 public:
  Gradient(Device& device, const Network& network, bool persistent, rs_precision precision, cudaStream_t stream);

  Path path(int64_t batch) const { return path_of(fused_, persistent_, precision_, batch); }
  const gpu::FusedNetwork* fused() const { return fused_; }

  // Floats of a gradient vector: the parameters and the loss sum, padded to 16.
  int64_t length() const { return length_; }

  // Takes all memory that a batch needs. True if memory moved.
  bool reserve(int64_t batch) { return reserve(batch, path(batch)); }
  bool reserve(int64_t batch, Path path);

  // The gradient vectors of the batch's blocks of rows, the loss sums behind the parameters. Their exact sum is the
  // batch's: see add_blocks.h.
  BlockGradients enqueue(const gpu::Rows& rows, int64_t batch, const float* parameters, LossWeights weights) {
    return enqueue(rows, batch, parameters, weights, path(batch));
  }
  // The same on a path of one's choice.
  BlockGradients enqueue(const gpu::Rows& rows, int64_t batch, const float* parameters, LossWeights weights, Path path) {
    return enqueue(rows, batch, parameters, weights, path, 0, block_count(batch, path));
  }
  // The same of blocks [begin, end) alone.
  BlockGradients enqueue(const gpu::Rows& rows, int64_t batch, const float* parameters, LossWeights weights, Path path,
                         int64_t begin, int64_t end);

  // Blocks that a batch has on a path: what ranks can share.
  int64_t block_count(int64_t batch, Path path) const {
    return path == Path::kPersistent ? 1 : gpu::Blocks(batch, network_.parameter_count).count;
  }

  // gradient [length] = the batch's.
  void enqueue_sum(BlockGradients blocks, float* gradient);

  // Forward only, always layer by layer. True if memory moved.
  bool reserve_forward(int64_t rows);

  // losses[i] = the loss sum of the i-th of loss_blocks(count).
  void enqueue_losses(const gpu::Rows& rows, int64_t count, const float* parameters, LossWeights weights, float* losses);

  // y [count, outputs] = the network's answers to x [count, inputs].
  void enqueue_predictions(const float* x, int64_t count, const float* parameters, float* y);

  // Losses take little memory, so all networks have them in the blocks of small ones.
  static gpu::Blocks loss_blocks(int64_t rows) { return gpu::Blocks(rows, 1); }

 private:
  gpu::LayeredPass layered(const gpu::Blocks& blocks, const float* parameters, const float* loss_weights) const;
  bool reserve_layered(const gpu::Blocks& blocks);

  Device& device_;
  const Network& network_;
  const gpu::FusedNetwork* fused_;  // null where there is none for this shape
  const bool persistent_;           // the optimizer has persistent kernels
  const rs_precision precision_;
  const cudaStream_t stream_;
  const int64_t length_;
  DeviceArray<float> workspace_;        // of the layered path
  DeviceArray<float> block_gradients_;  // [blocks][length]
};

}  // namespace rs::cuda
