// The layered path: the order in which the kernels of one operation each make a pass over a network.
#include "layered.h"

#include <algorithm>
#include <vector>

#include "activation.h"
#include "bias_gradient.h"
#include "gather_rows.h"
#include "matmul_backward_inputs.h"
#include "matmul_backward_weights.h"
#include "matmul_forward.h"
#include "mse.h"
#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int64_t kWorkspaceFloats = int64_t{1} << 26;

// Scratch memory, cut into parts that all lie at multiples of 256 bytes.
struct Workspace {
  float* x;                   // [rows, inputs], where rows are gathered
  float* y;                   // [rows, outputs]
  std::vector<float*> h;      // of each layer: [rows, out]
  float* dh;                  // [rows, widest hidden layer]
  int64_t length = 0;

  Workspace(const Network& network, int64_t rows, float* memory) {
    const auto take = [&](int64_t width) {
      float* part = memory ? memory + length : nullptr;
      length += (rows * width + 63) / 64 * 64;
      return part;
    };
    x = take(network.inputs());
    y = take(network.outputs());
    int32_t widest_hidden = 0;
    for (size_t l = 0; l < network.layers.size(); ++l) {
      h.push_back(take(network.layers[l].out));
      if (l > 0) widest_hidden = std::max(widest_hidden, network.layers[l].in);
    }
    dh = take(widest_hidden);
  }
};

// Some consecutive rows of a batch, in device memory one after the other.
struct Chunk {
  const float* x;
  const float* y;
  int64_t count;
};

// A shuffled batch's rows are brought together first; others lie so already.
Chunk load(const LayeredPass& pass, Rows rows, int64_t first, int64_t count, const Workspace& w, cudaStream_t stream) {
  const int inputs = pass.network.inputs(), outputs = pass.network.outputs();
  rows.first += first;
  if (!rows.shuffled) {
    return {rows.x + rows.first * inputs, rows.y ? rows.y + rows.first * outputs : nullptr, count};
  }
  gather_rows(rows, count, inputs, outputs, w.x, rows.y ? w.y : nullptr, stream);
  return {w.x, w.y, count};
}

// Leaves each layer's activations in w.h, the last layer's in `outputs`.
void forward(const LayeredPass& pass, const Chunk& chunk, const Workspace& w, float* outputs, cudaStream_t stream) {
  const Network& network = pass.network;
  const float* a = chunk.x;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const bool hidden = l + 1 < network.layers.size();
    float* h = hidden ? w.h[l] : outputs;
    matmul_forward(a, pass.parameters + layer.weight, pass.parameters + layer.bias, chunk.count, layer.in, layer.out, h,
                   stream);
    if (hidden) activation_forward(network.activation, chunk.count * layer.out, h, stream);
    a = h;
  }
}

// From the last layer, whose dz are in w.h, to the first. Each layer's dz take the place of its activations
// once those have served.
void backward(const LayeredPass& pass, const Chunk& chunk, int64_t block_rows, const Workspace& w, float* gradients,
              int64_t length, cudaStream_t stream) {
  const Network& network = pass.network;
  for (size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const float* dz = w.h[l];
    const float* a = l > 0 ? w.h[l - 1] : chunk.x;
    matmul_backward_weights(dz, a, chunk.count, block_rows, layer.in, layer.out, gradients + layer.weight, length, stream);
    bias_gradient(dz, chunk.count, block_rows, layer.out, gradients + layer.bias, length, stream);
    if (l == 0) break;
    matmul_backward_inputs(dz, pass.parameters + layer.weight, chunk.count, layer.in, layer.out, w.dh, stream);
    activation_backward(network.activation, w.dh, chunk.count * layer.in, w.h[l - 1], stream);
  }
}

// f(first block, chunk) for each chunk of the blocks [begin, end).
template <typename F>
void for_chunks(const LayeredPass& pass, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end,
                const Workspace& w, cudaStream_t stream, F f) {
  const int64_t blocks_a_chunk = pass.chunk_rows / blocks.rows;
  for (int64_t b = begin; b < end; b += blocks_a_chunk) {
    const int64_t first = blocks.first(b);
    const int64_t past = std::min(blocks.batch, blocks.first(std::min(end, b + blocks_a_chunk)));
    f(b, load(pass, rows, first, past - first, w, stream));
  }
}

}  // namespace

int64_t layered_workspace_length(const Network& network, int64_t chunk_rows) {
  return Workspace(network, chunk_rows, nullptr).length;
}

int64_t layered_chunk_rows(const Network& network, const Blocks& blocks) {
  const int64_t floats_a_block = layered_workspace_length(network, blocks.rows);
  const int64_t fit = std::max<int64_t>(1, kWorkspaceFloats / floats_a_block);
  return std::max<int64_t>(1, std::min(fit, blocks.count)) * blocks.rows;
}

void layered_gradient(const LayeredPass& pass, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end,
                      float* block_gradients, int64_t length, cudaStream_t stream) {
  const Workspace w(pass.network, pass.chunk_rows, pass.workspace);
  const int64_t parameter_count = pass.network.parameter_count;
  for_chunks(pass, rows, blocks, begin, end, w, stream, [&](int64_t block, const Chunk& chunk) {
    float* gradients = block_gradients + (block - begin) * length;
    forward(pass, chunk, w, w.h.back(), stream);
    mse_gradient(w.h.back(), chunk.y, pass.loss_weights, chunk.count, blocks.rows, pass.network.outputs(),
                 gradients + parameter_count, length, length - parameter_count - 1, stream);
    backward(pass, chunk, blocks.rows, w, gradients, length, stream);
  });
}

void layered_loss(const LayeredPass& pass, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end,
                  float* losses, cudaStream_t stream) {
  const Workspace w(pass.network, pass.chunk_rows, pass.workspace);
  for_chunks(pass, rows, blocks, begin, end, w, stream, [&](int64_t block, const Chunk& chunk) {
    forward(pass, chunk, w, w.h.back(), stream);
    mse_loss(w.h.back(), chunk.y, pass.loss_weights, chunk.count, blocks.rows, pass.network.outputs(),
             losses + (block - begin), 1, stream);
  });
}

void layered_predict(const LayeredPass& pass, const Rows& rows, int64_t count, float* predictions,
                     cudaStream_t stream) {
  const Workspace w(pass.network, pass.chunk_rows, pass.workspace);
  for (int64_t first = 0; first < count; first += pass.chunk_rows) {
    const Chunk chunk = load(pass, rows, first, std::min(pass.chunk_rows, count - first), w, stream);
    forward(pass, chunk, w, predictions + first * pass.network.outputs(), stream);
  }
}

}  // namespace rs::gpu
