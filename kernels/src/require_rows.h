#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// *loss = NaN where *summed is not `rows`: the ranks summed gradients of other batches, and no step may apply them.
void require_rows(const int64_t* summed, int64_t rows, float* loss, cudaStream_t stream);

}  // namespace rs::gpu
