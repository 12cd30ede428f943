// Squared errors, summed over each block of rows, and their derivatives.
#include "mse.h"

#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

// One block of threads a block of rows. Each thread adds up its own elements, 256 apart, then neighbours are
// added pairwise.
template <bool kGradient>
__global__ void __launch_bounds__(kThreads)
    mse_kernel(float* __restrict__ h,                   // [rows, outputs]: predictions; with kGradient, then derivatives
               const float* __restrict__ y,             // [rows, outputs]
               const float* __restrict__ loss_weights,  // [outputs]
               int64_t rows, int64_t block_rows, int outputs,
               float* __restrict__ losses, int64_t stride, int64_t padding) {
  __shared__ float partial[kThreads];
  const int64_t first_row = blockIdx.x * block_rows;
  const int64_t first = first_row * outputs, end = min(rows, first_row + block_rows) * outputs;

  float loss = 0;
  int output = static_cast<int>(threadIdx.x) % outputs;
  for (int64_t i = first + threadIdx.x; i < end; i += kThreads) {
    const float e = h[i] - y[i];
    loss = fmaf(loss_weights[output], e * e, loss);
    if (kGradient) h[i] = e + e;
    output += kThreads % outputs;  // that of element i + kThreads
    if (output >= outputs) output -= outputs;
  }
  partial[threadIdx.x] = loss;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  float* own = losses + blockIdx.x * stride;
  if (threadIdx.x == 0) own[0] = partial[0];
  if (threadIdx.x < padding) own[1 + threadIdx.x] = 0;
}

template <bool kGradient>
void launch(float* h, const float* y, const float* loss_weights, int64_t rows, int64_t block_rows, int outputs,
            float* losses, int64_t stride, int64_t padding, cudaStream_t stream) {
  if (rows == 0) return;
  const dim3 grid(static_cast<unsigned>((rows + block_rows - 1) / block_rows));
  simt::launch(mse_kernel<kGradient>, grid, dim3(kThreads), 0, stream, h, y, loss_weights, rows, block_rows, outputs,
               losses, stride, padding);
}

}  // namespace

void mse_loss(const float* h, const float* y, const float* loss_weights, int64_t rows, int64_t block_rows, int outputs,
              float* losses, int64_t stride, cudaStream_t stream) {
  launch<false>(const_cast<float*>(h), y, loss_weights, rows, block_rows, outputs, losses, stride, 0, stream);
}

void mse_gradient(float* h, const float* y, const float* loss_weights, int64_t rows, int64_t block_rows, int outputs,
                  float* losses, int64_t stride, int64_t padding, cudaStream_t stream) {
  launch<true>(h, y, loss_weights, rows, block_rows, outputs, losses, stride, padding, stream);
}

}  // namespace rs::gpu
