// The average of the parameters.
#include "average.h"

#include "device/average_step.h"
#include "device/update.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    average_kernel(rs_average settings, int64_t parameter_count,
                   const float* __restrict__ parameters,  // [parameter_count]
                   float* __restrict__ average,           // [parameter_count]
                   StepState* __restrict__ state) {
  const bool skips = state->average_skips > 0, happens = !state->failed && !skips;
  const AverageStep step(settings, state->averaged);
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (happens && i < parameter_count) step.move(parameters[i], average[i]);
  __syncthreads();  // all of this block have read the state
  if (threadIdx.x > 0 || state->failed || !is_last_block(state)) return;
  state->averaged += happens;
  state->average_skips -= skips;
}

}  // namespace

void move_average(const rs_average& settings, int64_t parameter_count, const float* parameters, float* average, StepState* state,
                  cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((parameter_count + kThreads - 1) / kThreads));
  simt::launch(average_kernel, grid, dim3(kThreads), 0, stream, settings, parameter_count, parameters, average, state);
}

}  // namespace rs::gpu
