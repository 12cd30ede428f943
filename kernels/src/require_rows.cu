// Ranks that do not train on the same batch.
#include "require_rows.h"

#include "simt.h"

namespace rs::gpu {

namespace {

__global__ void require_rows_kernel(const int64_t* __restrict__ summed, int64_t rows, float* __restrict__ loss) {
  if (*summed != rows) *loss = NAN;
}

}  // namespace

void require_rows(const int64_t* summed, int64_t rows, float* loss, cudaStream_t stream) {
  simt::launch(require_rows_kernel, dim3(1), dim3(1), 0, stream, summed, rows, loss);
}

}  // namespace rs::gpu
