// The gradient by a Linear layer's inputs: da = dz weight.
#include "matmul_backward_inputs.h"

#include "device/matmul_tile.h"

namespace rs::gpu {

namespace {

// One block of threads a tile of da: rows down, inputs across.
template <int T>
__global__ void __launch_bounds__(kTileThreads)
    matmul_backward_inputs_kernel(const float* __restrict__ dz,      // [rows, out]
                                  const float* __restrict__ weight,  // [out, in]
                                  int64_t rows, int in, int out,
                                  float* __restrict__ da) {          // [rows, in]
  __shared__ typename MatmulTile<T>::Shared shared;
  MatmulTile<T> tile;
  const int64_t first_row = int64_t{blockIdx.x / tiles<T>(in)} * tile.kSize;
  const int64_t first_input = int64_t{blockIdx.x % tiles<T>(in)} * tile.kSize;
  const int64_t row = first_row + tile.row(), input = first_input + tile.column();

  tile.clear();
  for (int k = 0; k < out; k += kSlab) {
    load_slab_by_rows<T>(shared.a, dz, first_row, rows, k, out);
    load_slab_by_columns<T>(shared.b, weight, first_input, in, k, out);
    __syncthreads();
    tile.accumulate(shared);
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < T; ++r) {
    if (row + r < rows) tile.store(da + (row + r) * in + input, tile.sum[r], in - input);
  }
}

template <int T>
void launch(const float* dz, const float* weight, int64_t rows, int in, int out, float* da, cudaStream_t stream) {
  simt::launch(matmul_backward_inputs_kernel<T>, dim3(tiles<T>(rows) * tiles<T>(in)), dim3(kTileSide, kTileSide), 0,
               stream, dz, weight, rows, in, out, da);
}

}  // namespace

void matmul_backward_inputs(const float* dz, const float* weight, int64_t rows, int in, int out, float* da,
                            cudaStream_t stream) {
  if (rows == 0) return;
  switch (tile_of(in)) {
    case 1: return launch<1>(dz, weight, rows, in, out, da, stream);
    case 2: return launch<2>(dz, weight, rows, in, out, da, stream);
    default: return launch<4>(dz, weight, rows, in, out, da, stream);
  }
}

}  // namespace rs::gpu
