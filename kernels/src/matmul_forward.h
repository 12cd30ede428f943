#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// z[r][j] = bias[j] + sum over i of x[r][i] weight[j][i]
//   x [rows, in], weight [out, in], bias [out], z [rows, out]; x and z do not overlap
void matmul_forward(const float* x, const float* weight, const float* bias, int64_t rows, int in, int out, float* z,
                    cudaStream_t stream);

}  // namespace rs::gpu
