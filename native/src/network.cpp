#include "network.h"

#include <algorithm>

namespace rs {

Network::Network(const int32_t* sizes, int32_t size_count, rs_activation activation)
    : activation(activation), widest(*std::max_element(sizes, sizes + size_count)) {
  for (int32_t i = 1; i < size_count; ++i) {
    const int64_t in = sizes[i - 1], out = sizes[i];
    const int64_t weight = parameter_count, bias = weight + in * out;
    layers.push_back({sizes[i - 1], sizes[i], weight, bias});
    parameter_count = bias + out;
  }
}

}  // namespace rs
