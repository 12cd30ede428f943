#include "cuda/gradient.h"

namespace rs::cuda {

Gradient::Gradient(Device& device, const Network& network, bool plain_sgd, rs_precision precision, cudaStream_t stream)
    : device_(device),
      network_(network),
      fused_(fused_network_of(network)),
      plain_sgd_(plain_sgd),
      precision_(precision),
      stream_(stream),
      length_((network.parameter_count + 1 + 15) / 16 * 16) {}

gpu::LayeredPass Gradient::layered(const gpu::Blocks& blocks, const float* parameters, const float* loss_weights) const {
  return {network_, parameters, loss_weights, workspace_.get(), gpu::layered_chunk_rows(network_, blocks)};
}

bool Gradient::reserve_layered(const gpu::Blocks& blocks) {
  const int64_t floats = gpu::layered_workspace_length(network_, gpu::layered_chunk_rows(network_, blocks));
  return workspace_.reserve(device_, floats, "the activations of a batch", stream_);
}

bool Gradient::reserve(int64_t batch, Path way) {
  if (way == Path::kPersistent) return false;
  const gpu::Blocks blocks(batch, network_.parameter_count);
  bool moved = way == Path::kLayered && reserve_layered(blocks);
  if (blocks.count > 1) {
    moved |= block_gradients_.reserve(device_, blocks.count * length_, "the gradients of a batch's blocks", stream_);
  }
  return moved;
}

void Gradient::enqueue(const gpu::Rows& rows, int64_t batch, const float* parameters, LossWeights weights, float* gradient,
                       Path way) {
  if (way == Path::kPersistent) {
    fused_->latency_gradient(
        {rows, batch, batch, network_.inputs(), network_.layers[0].out, weights.first, parameters, gradient}, stream_);
    return;
  }
  const gpu::Blocks blocks(batch, network_.parameter_count);
  if (blocks.count == 1) return enqueue_blocks(rows, blocks, parameters, weights, gradient, way);
  enqueue_blocks(rows, blocks, parameters, weights, block_gradients_.get(), way);
  gpu::add_blocks(block_gradients_.get(), blocks.count, length_, gradient, stream_);
}

void Gradient::enqueue_blocks(const gpu::Rows& rows, const gpu::Blocks& blocks, const float* parameters,
                              LossWeights weights, float* block_gradients, Path way) {
  if (way == Path::kLayered) {
    gpu::layered_gradient(layered(blocks, parameters, weights.all), rows, blocks, 0, blocks.count, block_gradients, length_,
                          stream_);
    return;
  }
  const gpu::FusedGradient job = {rows, blocks, 0, blocks.count, network_.inputs(), network_.layers[0].out,
                                  weights.first, parameters, block_gradients};
  const int ctas = gpu::kFusedCtasPerMultiprocessor * device_.multiprocessors();
  way == Path::kFusedTf32 ? fused_->gradient_tf32(job, ctas, stream_) : fused_->gradient(job, ctas, stream_);
}

// ---- forward only ----

bool Gradient::reserve_forward(int64_t rows) { return reserve_layered(loss_blocks(rows)); }

void Gradient::enqueue_losses(const gpu::Rows& rows, int64_t count, const float* parameters, LossWeights weights,
                              float* losses) {
  const gpu::Blocks blocks = loss_blocks(count);
  gpu::layered_loss(layered(blocks, parameters, weights.all), rows, blocks, 0, blocks.count, losses, stream_);
}

void Gradient::enqueue_predictions(const float* x, int64_t count, const float* parameters, float* y) {
  gpu::layered_predict(layered(loss_blocks(count), parameters, nullptr), {x, nullptr, 0, Shuffle(), false}, count, y, stream_);
}

}  // namespace rs::cuda
