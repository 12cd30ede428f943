// Launchers of the latency kernels: a batch of 1 has kernels of its own.
#pragma once

#include "device/latency_batch.h"
#include "device/latency_one.h"

namespace rs::gpu {

// Floats of shared memory for the averages of a thread block's models.
template <typename Shape, rs_activation A, LatencyRule kRule>
size_t average_floats(const LatencySteps& task) {
  if (kRule == LatencyRule::kPlain || !task.average) return 0;
  return task.batch == 1 ? kAverageOfOne<Shape> : BatchWorker<Shape, A>::kGroupList;
}

template <typename Shape, rs_activation A, LatencyRule kRule>
void latency_steps(const LatencySteps& task, cudaStream_t stream) {
  if (task.models <= 0 || task.steps <= 0) return;
  const size_t shared_bytes = average_floats<Shape, A, kRule>(task) * sizeof(float);
  if (task.batch == 1) {
    constexpr int64_t kModels = 32 / kModelLanes;
    const dim3 grid(static_cast<unsigned>((task.models + kModels - 1) / kModels));
    simt::launch(latency_one_kernel<Shape, A, kRule>, grid, dim3(32), shared_bytes, stream, task);
  } else {
    const dim3 grid(static_cast<unsigned>(task.models));
    const dim3 block(static_cast<unsigned>(latency_threads<Shape>(task.batch)));
    simt::launch(latency_batch_kernel<Shape, A, kRule>, grid, block, shared_bytes, stream, task);
  }
}

template <typename Shape, rs_activation A>
void latency_gradient(const LatencyGradient& task, cudaStream_t stream) {
  if (task.batch == 1) {
    simt::launch(latency_gradient_one_kernel<Shape, A>, dim3(1), dim3(32), 0, stream, task);
  } else {
    const dim3 block(static_cast<unsigned>(latency_threads<Shape>(task.batch)));
    simt::launch(latency_gradient_batch_kernel<Shape, A>, dim3(1), block, 0, stream, task);
  }
}

}  // namespace rs::gpu
