#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace rs::gpu {

// gradient[i] = the exact sum over blocks of block_gradients[block][i], rounded once to float32: the bits do
// not depend on the order of the blocks, nor on who computed which. No blocks give zeros.
//   block_gradients [blocks][length], gradient [length]
void add_blocks(const float* block_gradients, int64_t blocks, int64_t length, float* gradient, cudaStream_t stream);

// The same in two steps, for blocks that several devices share. Each adds its own to digits of the exact sum,
// which start at zero; digits are then added to each other as integers, and rounded.
//   digits [11][length], as device/exact_digits.h has them
void add_blocks_to_digits(const float* block_gradients, int64_t blocks, int64_t length, int64_t* digits,
                          cudaStream_t stream);
void digits_to_gradient(const int64_t* digits, int64_t length, float* gradient, cudaStream_t stream);

}  // namespace rs::gpu
