// Which fused kernels there are. Host code only; the kernels are compiled in the files of their activations.
#include "fused_network.h"

#include "device/fused_shape.h"

namespace rs::gpu {

template <typename Shape, rs_activation A>
void fused_gradient(const FusedGradient&, int ctas, cudaStream_t);
template <typename Shape, rs_activation A>
void fused_gradient_tf32(const FusedGradient&, int ctas, cudaStream_t);
template <typename Shape, rs_activation A, LatencyRule kRule>
void latency_steps(const LatencySteps&, cudaStream_t);
template <typename Shape, rs_activation A>
void latency_gradient(const LatencyGradient&, cudaStream_t);

namespace {

template <typename Shape, rs_activation A>
void latency_steps_by_rule(const LatencySteps& task, cudaStream_t stream) {
  switch (task.rule) {
    case LatencyRule::kPlain: return latency_steps<Shape, A, LatencyRule::kPlain>(task, stream);
    case LatencyRule::kAny: return latency_steps<Shape, A, LatencyRule::kAny>(task, stream);
  }
}

template <rs_activation A>
const FusedNetwork* smallest_with_room(int32_t inputs, int32_t hidden) {
#define RS_ENTRY(i, h)                                                                                       \
  {i, h, A, fused_gradient<FusedShape<i, h>, A>, fused_gradient_tf32<FusedShape<i, h>, A>,                   \
   latency_steps_by_rule<FusedShape<i, h>, A>, latency_gradient<FusedShape<i, h>, A>},
  static constexpr FusedNetwork kNetworks[] = {RS_FUSED_SHAPES(RS_ENTRY)};
#undef RS_ENTRY
  for (const FusedNetwork& network : kNetworks) {
    if (inputs <= network.inputs && hidden <= network.hidden) return &network;
  }
  return nullptr;
}

}  // namespace

const FusedNetwork* fused_network(int32_t inputs, int32_t hidden, int32_t outputs, rs_activation activation) {
  if (inputs < 1 || hidden < 1 || outputs != 1) return nullptr;
  switch (activation) {
    case RS_IDENTITY: return smallest_with_room<RS_IDENTITY>(inputs, hidden);
    case RS_RELU: return smallest_with_room<RS_RELU>(inputs, hidden);
    case RS_TANH: return smallest_with_room<RS_TANH>(inputs, hidden);
    case RS_SIGMOID: return smallest_with_room<RS_SIGMOID>(inputs, hidden);
  }
  return nullptr;
}

}  // namespace rs::gpu
