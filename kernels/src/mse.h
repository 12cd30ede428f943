#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// For every block of `block_rows` rows, of which the last may have fewer,
//   losses[block * stride] = sum over the block's rows r and outputs o of loss_weights[o] (h[r][o] - y[r][o])^2
//   h [rows, outputs], y [rows, outputs], loss_weights [outputs]
void mse_loss(const float* h, const float* y, const float* loss_weights, int64_t rows, int64_t block_rows, int outputs,
              float* losses, int64_t stride, cudaStream_t stream);

// The same, and h[r][o] becomes the squared error's derivative, 2 (h[r][o] - y[r][o]). `padding` zeros,
// 256 at most, follow each loss.
void mse_gradient(float* h, const float* y, const float* loss_weights, int64_t rows, int64_t block_rows, int outputs,
                  float* losses, int64_t stride, int64_t padding, cudaStream_t stream);

}  // namespace rs::gpu
