// The sum of a batch's block gradients and the optimizer's step with it: a launch less in every step.
#include "add_blocks_step.h"

#include "device/block_sum.h"
#include "device/update.h"

namespace rs::gpu {

namespace {

constexpr int kParameters = kColumns - 1;  // of a block of threads; its last column is the loss

// Nothing may be applied before the loss is known to be finite, so each block of threads adds up the loss too.
template <rs_optimizer_kind kKind>
__global__ void __launch_bounds__(kColumns * kMostStripes, 1)
    add_blocks_step_kernel(float gradient_scale,
                           const float* __restrict__ block_gradients,  // [blocks][length]
                           int64_t blocks, int64_t length, int64_t parameter_count,
                           float* __restrict__ parameters,             // [parameter_count]
                           float* __restrict__ m,                      // [parameter_count], or null
                           float* __restrict__ v,                      // [parameter_count], or null
                           StepState* __restrict__ state) {
  __shared__ BlockSum::Shared shared;
  __shared__ Update update;
  __shared__ bool apply;
  const bool is_loss = threadIdx.x == kParameters;
  const int64_t own = int64_t{blockIdx.x} * kParameters + threadIdx.x;
  const int64_t i = is_loss ? parameter_count : own;

  const BlockSum sum(shared, i <= parameter_count ? block_gradients + i : nullptr, blocks, length);
  if (threadIdx.y > 0) return;  // what is left is the first warp's
  const float gradient = sum.rounded();
  if (is_loss) {
    apply = !state->failed && isfinite(gradient);
    update = next_update<kKind>(*state, *state);
  }
  __syncwarp();
  if (apply && i < parameter_count) {
    const float g = gradient * gradient_scale, p = parameters[i];
    parameters[i] = kKind == RS_SGD ? sgd(update, i, g, p, m) : adam<kKind == RS_ADAMW>(update, i, g, p, m, v);
  }
  if (is_loss) advance(gradient, apply, state);
}

template <rs_optimizer_kind kKind>
void launch(float gradient_scale, const float* block_gradients, int64_t blocks, int64_t length, int64_t parameter_count,
            float* parameters, float* m, float* v, StepState* state, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((parameter_count + kParameters - 1) / kParameters));
  simt::launch(add_blocks_step_kernel<kKind>, grid, block_sum_threads(blocks), 0, stream, gradient_scale,
               block_gradients, blocks, length, parameter_count, parameters, m, v, state);
}

}  // namespace

void add_blocks_step(rs_optimizer_kind kind, float gradient_scale, const float* block_gradients, int64_t blocks,
                     int64_t length, int64_t parameter_count, float* parameters, float* m, float* v, StepState* state,
                     cudaStream_t stream) {
  const auto run = [&](auto launch_kind) {
    launch_kind(gradient_scale, block_gradients, blocks, length, parameter_count, parameters, m, v, state, stream);
  };
  switch (kind) {
    case RS_SGD: return run(launch<RS_SGD>);
    case RS_ADAM: return run(launch<RS_ADAM>);
    case RS_ADAMW: return run(launch<RS_ADAMW>);
  }
}

}  // namespace rs::gpu
