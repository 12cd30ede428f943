// The gradient by a Linear layer's weights, dz^T a, summed over each block of rows.
#include "matmul_backward_weights.h"

#include <algorithm>

#include "device/matmul_tile.h"

namespace rs::gpu {

namespace {

// So many rows are added in one chain. Chains are then added to each other: that keeps the error of a block of
// many thousand rows that of a short sum.
constexpr int kChain = 512;

// blockIdx.x is a tile of the gradient, units down and inputs across, and blockIdx.y a block of rows.
template <int T>
__global__ void __launch_bounds__(kTileThreads)
    matmul_backward_weights_kernel(const float* __restrict__ dz,   // [rows, out]
                                   const float* __restrict__ a,    // [rows, in]
                                   int64_t rows, int64_t block_rows, int in, int out,
                                   float* __restrict__ gradients,  // [blocks][stride], each [out, in]
                                   int64_t stride) {
  __shared__ typename MatmulTile<T>::Shared shared;
  MatmulTile<T> tile, chain;
  const int64_t first_unit = int64_t{blockIdx.x / tiles<T>(in)} * tile.kSize;
  const int64_t first_input = int64_t{blockIdx.x % tiles<T>(in)} * tile.kSize;
  const int64_t unit = first_unit + tile.row(), input = first_input + tile.column();
  const int64_t first = blockIdx.y * block_rows, end = min(rows, first + block_rows);

  tile.clear();
  for (int64_t r = first; r < end;) {
    const int64_t chain_end = min(end, r + kChain);
    chain.clear();
    for (; r < chain_end; r += kSlab) {
      load_slab_by_columns<T>(shared.a, dz, first_unit, out, r, end);
      load_slab_by_columns<T>(shared.b, a, first_input, in, r, end);
      __syncthreads();
      chain.accumulate(shared);
      __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < T; ++j) {
#pragma unroll
      for (int i = 0; i < T; ++i) tile.sum[j][i] += chain.sum[j][i];
    }
  }
  float* gradient = gradients + blockIdx.y * stride;  // [out, in]
#pragma unroll
  for (int j = 0; j < T; ++j) {
    if (unit + j < out) tile.store(gradient + (unit + j) * in + input, tile.sum[j], in - input);
  }
}

template <int T>
void launch(const float* dz, const float* a, int64_t rows, int64_t block_rows, int in, int out, float* gradients,
            int64_t stride, cudaStream_t stream) {
  const dim3 grid(tiles<T>(out) * tiles<T>(in), static_cast<unsigned>((rows + block_rows - 1) / block_rows));
  simt::launch(matmul_backward_weights_kernel<T>, grid, dim3(kTileSide, kTileSide), 0, stream, dz, a, rows, block_rows,
               in, out, gradients, stride);
}

}  // namespace

void matmul_backward_weights(const float* dz, const float* a, int64_t rows, int64_t block_rows, int in, int out,
                             float* gradients, int64_t stride, cudaStream_t stream) {
  if (rows == 0) return;
  switch (tile_of(std::max(in, out))) {
    case 1: return launch<1>(dz, a, rows, block_rows, in, out, gradients, stride, stream);
    case 2: return launch<2>(dz, a, rows, block_rows, in, out, gradients, stride, stream);
    default: return launch<4>(dz, a, rows, block_rows, in, out, gradients, stride, stream);
  }
}

}  // namespace rs::gpu
