// A Linear layer: z = x weight^T + bias.
#include "matmul_forward.h"

#include "device/matmul_tile.h"

namespace rs::gpu {

namespace {

// One block of threads a tile of z: rows of x down, units across. Tiles of the same rows are neighbours, so
// that they find x in the cache.
template <int T>
__global__ void __launch_bounds__(kTileThreads)
    matmul_forward_kernel(const float* __restrict__ x,       // [rows, in]
                          const float* __restrict__ weight,  // [out, in]
                          const float* __restrict__ bias,    // [out]
                          int64_t rows, int in, int out,
                          float* __restrict__ z) {           // [rows, out]
  __shared__ typename MatmulTile<T>::Shared shared;
  MatmulTile<T> tile;
  const int64_t first_row = int64_t{blockIdx.x / tiles<T>(out)} * tile.kSize;
  const int64_t first_unit = int64_t{blockIdx.x % tiles<T>(out)} * tile.kSize;
  const int64_t row = first_row + tile.row(), unit = first_unit + tile.column();

#pragma unroll
  for (int c = 0; c < T; ++c) {
    const float b = unit + c < out ? bias[unit + c] : 0.0f;
#pragma unroll
    for (int r = 0; r < T; ++r) tile.sum[r][c] = b;
  }
  for (int k = 0; k < in; k += kSlab) {
    load_slab_by_rows<T>(shared.a, x, first_row, rows, k, in);
    load_slab_by_rows<T>(shared.b, weight, first_unit, out, k, in);
    __syncthreads();
    tile.accumulate(shared);
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < T; ++r) {
    if (row + r < rows) tile.store(z + (row + r) * out + unit, tile.sum[r], out - unit);
  }
}

template <int T>
void launch(const float* x, const float* weight, const float* bias, int64_t rows, int in, int out, float* z,
            cudaStream_t stream) {
  simt::launch(matmul_forward_kernel<T>, dim3(tiles<T>(rows) * tiles<T>(out)), dim3(kTileSide, kTileSide), 0, stream, x,
               weight, bias, rows, in, out, z);
}

}  // namespace

void matmul_forward(const float* x, const float* weight, const float* bias, int64_t rows, int in, int out, float* z,
                    cudaStream_t stream) {
  if (rows == 0) return;
  switch (tile_of(out)) {
    case 1: return launch<1>(x, weight, bias, rows, in, out, z, stream);
    case 2: return launch<2>(x, weight, bias, rows, in, out, z, stream);
    default: return launch<4>(x, weight, bias, rows, in, out, z, stream);
  }
}

}  // namespace rs::gpu
