// The shape of a network and where each layer's parameters lie in the flat vector.
#pragma once

#include <cstdint>
#include <vector>

#include "ringstep.h"

namespace rs {

struct Layer {
  int32_t in;
  int32_t out;
  int64_t weight;  // offset of weight [out, in]
  int64_t bias;    // offset of bias [out]
};

struct Network {
  std::vector<Layer> layers;
  rs_activation activation = RS_IDENTITY;
  int64_t parameter_count = 0;
  int32_t widest = 0;  // of all layer sizes, the input's included

  Network() = default;
  Network(const int32_t* sizes, int32_t size_count, rs_activation activation);

  int32_t inputs() const { return layers.front().in; }
  int32_t outputs() const { return layers.back().out; }
};

}  // namespace rs
