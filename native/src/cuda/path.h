// Which kernels a step takes. That is a matter of the network, the optimizer and the batch alone, never of the device, the
// number of ranks or what was done before, so that the same call gives the same bits.
#pragma once

#include <cstdint>

#include "fused_network.h"
#include "network.h"

namespace rs::cuda {

enum class Path {
  kPersistent,  // all steps of a fit in one launch, weights on chip (latency_steps)
  kFused,       // forward, backward and the sums of each block of rows in one kernel
  kFusedTf32,   // the same on tensor cores, where that was asked for
  kLayered      // a kernel for each operation of each layer: any network
};

// The kernels made for the network's shape; null where there are none.
inline const gpu::FusedNetwork* fused_network_of(const Network& network) {
  if (network.layers.size() != 2) return nullptr;
  return gpu::fused_network(network.inputs(), network.layers[0].out, network.outputs(), network.activation);
}

// Whether the persistent kernels have the optimizer: all but Adam without an epsilon, see LatencyRule.
inline bool is_persistent(const rs_optimizer& optimizer) {
  return optimizer.kind == RS_SGD || static_cast<float>(optimizer.eps) != 0;
}

inline Path path_of(const gpu::FusedNetwork* fused, bool persistent, rs_precision precision, int64_t batch) {
  if (!fused) return Path::kLayered;
  if (precision == RS_TF32 && fused->gradient_tf32) return Path::kFusedTf32;
  return persistent && batch <= gpu::kMostLatencyBatch ? Path::kPersistent : Path::kFused;
}

// What a step of the persistent kernels does with its gradient.
inline gpu::LatencyRule rule_of(const rs_optimizer& optimizer) {
  const bool plain = optimizer.kind == RS_SGD && optimizer.momentum == 0 && optimizer.weight_decay == 0;
  return plain ? gpu::LatencyRule::kPlain : gpu::LatencyRule::kAny;
}

inline const char* name_of(Path path) {
  switch (path) {
    case Path::kPersistent: return "persistent";
    case Path::kFused: return "fused";
    case Path::kFusedTf32: return "fused-tf32";
    case Path::kLayered: break;
  }
  return "layered";
}

}  // namespace rs::cuda
