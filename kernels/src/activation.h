#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ringstep.h"

namespace rs::gpu {

// z[i] becomes f(z[i]).
void activation_forward(rs_activation activation, int64_t count, float* z, cudaStream_t stream);

// h[i], which is f(z[i]), becomes dz[i] = dh[i] f'(z[i]).
void activation_backward(rs_activation activation, const float* dh, int64_t count, float* h, cudaStream_t stream);

}  // namespace rs::gpu
