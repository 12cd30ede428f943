// How a network's hidden units are spread over lanes, and for which sizes there are kernels.
#pragma once

namespace rs::gpu {

// As few lanes for a sample as its weights, its gradient and a row of inputs leave registers for: each lane more
// costs a shuffle and repeats the error's arithmetic. 10 inputs and 20 hidden units take 4 lanes of 5 units.
template <int kInputs_, int kHidden_>
struct FusedShape {
  static constexpr int kInputs = kInputs_, kHidden = kHidden_;

  static constexpr int registers(int lanes) { return (kHidden + lanes - 1) / lanes * (2 * kInputs + 3); }
  static constexpr int lanes() {
    int lanes = 1;
    while (registers(lanes) > 120) lanes *= 2;
    return lanes;
  }

  static constexpr int kLanes = lanes();
  static constexpr int kUnits = (kHidden + kLanes - 1) / kLanes;
};

// Inputs and hidden units that the kernels have room for, the smallest first. A network takes the first that it
// fits into.
#define RS_FUSED_SHAPES(X) X(4, 8) X(4, 32) X(10, 20) X(16, 32)

}  // namespace rs::gpu
