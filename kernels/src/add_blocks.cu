// The gradient of a batch from those of its blocks.
#include "add_blocks.h"

#include "device/block_sum.h"
#include "simt.h"

namespace rs::gpu {

namespace {

//   kToDigits: the sums are added to digits, else they are rounded into gradient
template <bool kToDigits>
__global__ void __launch_bounds__(kColumns * kMostStripes, 1)
    add_blocks_kernel(const float* __restrict__ block_gradients,  // [blocks][length]
                      int64_t blocks, int64_t length,
                      float* __restrict__ gradient,               // [length]
                      int64_t* __restrict__ digits) {             // [kDigits][length]
  __shared__ BlockSum::Shared shared;
  const int64_t i = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  const BlockSum sum(shared, i < length ? block_gradients + i : nullptr, blocks, length);
  if (threadIdx.y > 0 || i >= length) return;
  if (kToDigits) {
    sum.add_digits([&](int d, int64_t amount) { digits[d * length + i] += amount; });
  } else {
    gradient[i] = sum.rounded();
  }
}

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    digits_to_gradient_kernel(const int64_t* __restrict__ digits,  // [kDigits][length]
                              int64_t length,
                              float* __restrict__ gradient) {      // [length]
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < length) gradient[i] = round_digits([&](int d) { return digits[d * length + i]; });
}

template <bool kToDigits>
void launch(const float* block_gradients, int64_t blocks, int64_t length, float* gradient, int64_t* digits,
            cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((length + kColumns - 1) / kColumns));
  simt::launch(add_blocks_kernel<kToDigits>, grid, block_sum_threads(blocks), 0, stream, block_gradients, blocks, length,
               gradient, digits);
}

}  // namespace

void add_blocks(const float* block_gradients, int64_t blocks, int64_t length, float* gradient, cudaStream_t stream) {
  launch<false>(block_gradients, blocks, length, gradient, nullptr, stream);
}

void add_blocks_to_digits(const float* block_gradients, int64_t blocks, int64_t length, int64_t* digits,
                          cudaStream_t stream) {
  launch<true>(block_gradients, blocks, length, nullptr, digits, stream);
}

void digits_to_gradient(const int64_t* digits, int64_t length, float* gradient, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((length + kThreads - 1) / kThreads));
  simt::launch(digits_to_gradient_kernel, grid, dim3(kThreads), 0, stream, digits, length, gradient);
}

}  // namespace rs::gpu
