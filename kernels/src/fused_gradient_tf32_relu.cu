// fused_gradient_tf32 for networks with ReLU.
#include "device/fused_gradient_tf32.h"

namespace rs::gpu {

#define RS_INSTANTIATE(inputs, hidden) \
  template void fused_gradient_tf32<FusedShape<inputs, hidden>, RS_RELU>(const FusedGradient&, int, cudaStream_t);
RS_FUSED_SHAPES(RS_INSTANTIATE)

}  // namespace rs::gpu
