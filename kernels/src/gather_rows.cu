// Brings the rows of a shuffled batch together.
#include "gather_rows.h"

#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;
constexpr int kTile = 64;  // rows of a block of threads

// Adjacent threads copy adjacent floats of as many rows as they span.
__device__ void copy_rows(const float* __restrict__ from, const int64_t* index, int count, int width,
                          float* __restrict__ to) {
  const unsigned floats = static_cast<unsigned>(count * width);  // at most 2^28: a layer's width is at most 2^22
  for (unsigned i = threadIdx.x; i < floats; i += kThreads) {
    const unsigned row = i / static_cast<unsigned>(width), column = i - row * static_cast<unsigned>(width);
    to[i] = from[index[row] * width + column];
  }
}

// First a thread a row finds where the rows are, which costs more than to copy a narrow one.
__global__ void __launch_bounds__(kThreads)
    gather_rows_kernel(const Rows rows, int64_t count, int inputs, int outputs,
                       float* __restrict__ x,    // [count, inputs]
                       float* __restrict__ y) {  // [count, outputs], or null
  __shared__ int64_t index[kTile];
  const int64_t first = int64_t{blockIdx.x} * kTile;
  const int tile = static_cast<int>(min(int64_t{kTile}, count - first));
  if (threadIdx.x < static_cast<unsigned>(tile)) index[threadIdx.x] = rows.at(first + threadIdx.x);
  __syncthreads();
  copy_rows(rows.x, index, tile, inputs, x + first * inputs);
  if (y) copy_rows(rows.y, index, tile, outputs, y + first * outputs);
}

}  // namespace

void gather_rows(const Rows& rows, int64_t count, int inputs, int outputs, float* x, float* y, cudaStream_t stream) {
  if (count == 0) return;
  const dim3 grid(static_cast<unsigned>((count + kTile - 1) / kTile));
  simt::launch(gather_rows_kernel, grid, dim3(kThreads), 0, stream, rows, count, inputs, outputs, x, y);
}

}  // namespace rs::gpu
