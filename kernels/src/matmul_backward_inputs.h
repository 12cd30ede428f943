#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// da[r][i] = sum over j of dz[r][j] weight[j][i]: the gradient by a Linear layer's inputs.
//   dz [rows, out], weight [out, in], da [rows, in]; dz and da do not overlap
void matmul_backward_inputs(const float* dz, const float* weight, int64_t rows, int in, int out, float* da,
                            cudaStream_t stream);

}  // namespace rs::gpu
