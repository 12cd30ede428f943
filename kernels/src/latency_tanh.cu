// latency_steps and latency_gradient for networks with tanh.
#include "device/latency.h"

namespace rs::gpu {

#define RS_INSTANTIATE(inputs, hidden)                                                                     \
  template void latency_steps<FusedShape<inputs, hidden>, RS_TANH, LatencyRule::kPlain>(const LatencySteps&, cudaStream_t); \
  template void latency_gradient<FusedShape<inputs, hidden>, RS_TANH>(const LatencyGradient&, cudaStream_t);
RS_FUSED_SHAPES(RS_INSTANTIATE)

}  // namespace rs::gpu
