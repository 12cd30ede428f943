#pragma once

#include <cuda_runtime.h>

#include "optimizer_state.h"

namespace rs::gpu {

// The optimizer's settings and what its steps change, in device memory: many steps then run one after the other
// without the host, as in a graph, and it looks at the end only.
struct StepState : OptimizerState {
  StepState() : OptimizerState(fresh_state({})) {}

  double loss_sum = 0;   // of the steps applied
  float last_loss = 0;   // of the last step, whether applied or not
  int32_t failed = 0;    // 1 once a loss was not finite: neither that step nor any after it is applied
  uint32_t arrived = 0;  // blocks of threads of the running step that are done
  int64_t averaged = 0;       // parameters that the average is of, see average.h
  int64_t average_skips = 0;  // moves of it that are yet to be left out
};

// One step: parameters[i] moves against gradient_scale * gradient[i], by the formulas of
// native/src/cpu/isa/update.h in the same order. gradient[parameter_count], the loss sum, is taken into
// the state; where it is not finite nothing else is done.
//   kind: that of state->settings, which the host cannot see
//   gradient [parameter_count + 1], parameters [parameter_count]
//   m [parameter_count]: Adam's mean, or SGD's momentum buffer, null where it has none
//   v [parameter_count]: Adam's mean square, else null
void optimizer_step(rs_optimizer_kind kind, float gradient_scale, const float* gradient, int64_t parameter_count,
                    float* parameters, float* m, float* v, StepState* state, cudaStream_t stream);

}  // namespace rs::gpu
