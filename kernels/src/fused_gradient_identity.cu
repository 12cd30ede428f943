// fused_gradient for networks with no activation.
#include "device/fused_gradient.h"

namespace rs::gpu {

#define RS_INSTANTIATE(inputs, hidden) \
  template void fused_gradient<FusedShape<inputs, hidden>, RS_IDENTITY>(const FusedGradient&, int, cudaStream_t);
RS_FUSED_SHAPES(RS_INSTANTIATE)

}  // namespace rs::gpu
