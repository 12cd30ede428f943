#include "initialize.h"

#include <cmath>

#include "philox.h"

namespace rs {

void initialize(const Network& network, uint64_t seed, float* parameters) {
  for (const Layer& layer : network.layers) {
    const float bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(layer.in)));
    for (int64_t i = layer.weight; i < layer.bias + layer.out; ++i) {
      const uint32_t word = philox(seed, kInitStream, static_cast<uint64_t>(i) / 4)[i % 4];
      const float unit = static_cast<float>(word >> 8) * 0x1p-24f;  // in [0, 1)
      parameters[i] = (2.0f * unit - 1.0f) * bound;
    }
  }
}

}  // namespace rs
