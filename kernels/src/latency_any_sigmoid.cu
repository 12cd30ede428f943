// latency_steps with any optimizer, for networks with sigmoid.
#include "device/latency.h"

namespace rs::gpu {

#define RS_INSTANTIATE(inputs, hidden) \
  template void latency_steps<FusedShape<inputs, hidden>, RS_SIGMOID, LatencyRule::kAny>(const LatencySteps&, cudaStream_t);
RS_FUSED_SHAPES(RS_INSTANTIATE)

}  // namespace rs::gpu
