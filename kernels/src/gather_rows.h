#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rows.h"

namespace rs::gpu {

// Copies rows [0, count) of a batch into rows that lie one after the other.
//   x [count, inputs], y [count, outputs]; y may be null, then targets are left out
void gather_rows(const Rows& rows, int64_t count, int inputs, int outputs, float* x, float* y, cudaStream_t stream);

}  // namespace rs::gpu
