#include "cuda/gradient.h"

namespace rs::cuda {

Gradient::Gradient(Device& device, const Network& network, bool persistent, rs_precision precision, cudaStream_t stream)
    : device_(device),
      network_(network),
      fused_(fused_network_of(network)),
      persistent_(persistent),
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
  const gpu::Blocks blocks(batch, network_.parameter_count);
  bool moved = way == Path::kLayered && reserve_layered(blocks);
  moved |= block_gradients_.reserve(device_, block_count(batch, way) * length_, "the gradients of a batch's blocks", stream_);
  return moved;
}

BlockGradients Gradient::enqueue(const gpu::Rows& rows, int64_t batch, const float* parameters, LossWeights weights, Path way,
                                 int64_t begin, int64_t end) {
  const int32_t inputs = network_.inputs(), hidden = network_.layers[0].out;
  float* out = block_gradients_.get();
  if (way == Path::kPersistent) {
    fused_->latency_gradient({rows, batch, batch, inputs, hidden, weights.first, parameters, out}, stream_);
    return {out, 1};
  }
  const gpu::Blocks blocks(batch, network_.parameter_count);
  if (way == Path::kLayered) {
    gpu::layered_gradient(layered(blocks, parameters, weights.all), rows, blocks, begin, end, out, length_, stream_);
    return {out, end - begin};
  }
  const gpu::FusedGradient job = {rows, blocks, begin, end, inputs, hidden, weights.first, parameters, out};
  const int ctas = gpu::kFusedCtasPerMultiprocessor * device_.multiprocessors();
  way == Path::kFusedTf32 ? fused_->gradient_tf32(job, ctas, stream_) : fused_->gradient(job, ctas, stream_);
  return {out, end - begin};
}

void Gradient::enqueue_sum(BlockGradients blocks, float* gradient) {
  gpu::add_blocks(blocks.all, blocks.count, length_, gradient, stream_);
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
