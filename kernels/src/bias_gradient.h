#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// For every block of `block_rows` rows, of which the last may have fewer,
//   gradients[block][j] = sum over the block's rows r of dz[r][j]
//   dz [rows, out]; gradients has `stride` floats from one block to the next
void bias_gradient(const float* dz, int64_t rows, int64_t block_rows, int out, float* gradients, int64_t stride,
                   cudaStream_t stream);

}  // namespace rs::gpu
