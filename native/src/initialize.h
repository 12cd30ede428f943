// Random starting parameters.
#pragma once

#include <cstdint>

#include "network.h"

namespace rs {

// Weights and biases of each layer uniform in [-1/sqrt(in), 1/sqrt(in)), as torch.nn.Linear.
// Parameter i takes word i % 4 of Philox value i / 4.
void initialize(const Network& network, uint64_t seed, float* parameters);

}  // namespace rs
