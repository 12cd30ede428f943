// What tests of kernels share.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "bits.h"
#include "check.h"
#include "cpu/launch.h"
#include "device_array.h"
#include "random.h"

namespace test {

constexpr double kUnit = 0x1p-24;  // the relative error of one float32 operation

// Numbers of rows: none, one, primes, and those around the sizes of tiles.
inline const std::vector<int64_t> kCounts = {0, 1, 2, 3, 5, 13, 16, 17, 31, 32, 33, 61, 64, 65, 67, 127, 128, 131, 257};

inline std::vector<float> uniform(int64_t count, Random& random) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = random.uniform(-1, 1);
  return values;
}

// Runs `launch`, which fills `out`, with blocks and threads in either order. The bits must be the same.
template <typename Launch>
void run_in_both_orders(const Floats& out, Launch launch) {
  const std::vector<float> poisoned = out.values();
  simt::set_order(simt::Order::kReverse);
  launch();
  const std::vector<float> reverse = out.values();
  if (out.size() > 0) std::memcpy(out.get(), poisoned.data(), poisoned.size() * sizeof(float));
  simt::set_order(simt::Order::kForward);
  launch();
  for (int64_t i = 0; i < out.size(); ++i) {
    CHECK(bits_of(out[i]) == bits_of(reverse[static_cast<size_t>(i)]), "element %d depends on the order of threads",
          static_cast<int>(i));
  }
}

}  // namespace test
