#pragma once

#include <cuda_runtime.h>

#include "optimizer.h"

namespace rs::gpu {

// Moves the average towards the parameters, after a step or at the end of an epoch; does nothing where the step before was
// not applied, or while state->average_skips says that this epoch takes no part.
//   settings: of an average that is kept; one of no parameters so far becomes these
//   parameters, average [parameter_count]
void move_average(const rs_average& settings, int64_t parameter_count, const float* parameters, float* average, StepState* state,
                  cudaStream_t stream);

}  // namespace rs::gpu
