#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// For every block of `block_rows` rows, of which the last may have fewer,
//   gradients[block][j * in + i] = sum over the block's rows r of dz[r][j] a[r][i]
//   dz [rows, out], a [rows, in]; gradients has `stride` floats from one block to the next
void matmul_backward_weights(const float* dz, const float* a, int64_t rows, int64_t block_rows, int in, int out,
                             float* gradients, int64_t stride, cudaStream_t stream);

}  // namespace rs::gpu
