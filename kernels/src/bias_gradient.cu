// The gradient by a Linear layer's bias, the sum of dz over each block of rows.
#include "bias_gradient.h"

#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

// blockIdx.x is a group of kColumns units, and blockIdx.y a block of rows. Adjacent threads take adjacent
// units, then adjacent rows: narrow layers keep all threads busy, and wide ones read whole lines of memory.
// Each thread adds up its own rows, then neighbours are added pairwise.
template <int kColumns>
__global__ void __launch_bounds__(kThreads)
    bias_gradient_kernel(const float* __restrict__ dz,   // [rows, out]
                         int64_t rows, int64_t block_rows, int out,
                         float* __restrict__ gradients,  // [blocks][stride], each [out]
                         int64_t stride) {
  constexpr int kStripes = kThreads / kColumns;
  __shared__ float partial[kThreads];
  const int thread = static_cast<int>(threadIdx.x), column = thread % kColumns, stripe = thread / kColumns;
  const int64_t unit = int64_t{blockIdx.x} * kColumns + column;
  const int64_t first = blockIdx.y * block_rows, end = min(rows, first + block_rows);

  float sum = 0;
  if (unit < out) {
    for (int64_t r = first + stripe; r < end; r += kStripes) sum += dz[r * out + unit];
  }
  partial[thread] = sum;
  for (int half = kStripes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (stripe < half) partial[thread] += partial[thread + half * kColumns];
  }
  if (stripe == 0 && unit < out) gradients[blockIdx.y * stride + unit] = partial[thread];
}

template <int kColumns>
void launch(const float* dz, int64_t rows, int64_t block_rows, int out, float* gradients, int64_t stride,
            cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((out + kColumns - 1) / kColumns),
                  static_cast<unsigned>((rows + block_rows - 1) / block_rows));
  simt::launch(bias_gradient_kernel<kColumns>, grid, dim3(kThreads), 0, stream, dz, rows, block_rows, out, gradients,
               stride);
}

}  // namespace

void bias_gradient(const float* dz, int64_t rows, int64_t block_rows, int out, float* gradients, int64_t stride,
                   cudaStream_t stream) {
  if (rows == 0) return;
  if (out == 1) return launch<1>(dz, rows, block_rows, out, gradients, stride, stream);
  if (out <= 8) return launch<8>(dz, rows, block_rows, out, gradients, stride, stream);
  launch<32>(dz, rows, block_rows, out, gradients, stride, stream);
}

}  // namespace rs::gpu
