// A small network with random parameters and data, and what float64 says of it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "blocks.h"
#include "check.h"
#include "exact_sum.h"
#include "fused_network.h"
#include "network.h"
#include "random.h"
#include "reference_network.h"
#include "rows.h"

namespace test {

// Memory at a multiple of 16 bytes and of just this size, so that the sanitizer sees a step beyond it, and filled
// with NaN, so that a value which was not written shows.
class DeviceArray {
 public:
  explicit DeviceArray(int64_t length)
      : length_(length), data_(static_cast<float*>(std::malloc(static_cast<size_t>(length) * sizeof(float)))) {
    std::memset(data_.get(), 0xFF, static_cast<size_t>(length) * sizeof(float));
  }

  float* get() const { return data_.get(); }
  int64_t length() const { return length_; }
  float& operator[](int64_t i) const { return data_.get()[i]; }
  bool same_bits(const DeviceArray& other) const {
    return length_ == other.length_ && std::memcmp(get(), other.get(), static_cast<size_t>(length_) * sizeof(float)) == 0;
  }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  int64_t length_;
  std::unique_ptr<float, Free> data_;
};

inline int64_t gradient_length(int64_t parameter_count) { return (parameter_count + 16) / 16 * 16; }

struct FusedCase {
  rs::Network network;
  int32_t inputs, hidden;
  int64_t rows;
  DeviceArray parameters, x, y;

  FusedCase(int32_t inputs, int32_t hidden, rs_activation activation, int64_t rows, uint64_t seed)
      : network(sizes(inputs, hidden).data(), 3, activation),
        inputs(inputs),
        hidden(hidden),
        rows(rows),
        parameters(network.parameter_count),
        x(rows * inputs),
        y(rows) {
    Random random(seed);
    for (int64_t i = 0; i < parameters.length(); ++i) parameters[i] = random.uniform(-0.5f, 0.5f);
    for (int64_t r = 0; r < rows; ++r) {
      // Where a hidden unit is next to 0, float32 and float64 may differ in the sign, and a ReLU then switches.
      ReferenceNetwork reference(network, parameters.get());
      do {
        for (int32_t i = 0; i < inputs; ++i) x[r * inputs + i] = random.uniform(-2, 2);
      } while (activation == RS_RELU && reference.nearest_to_zero(x.get() + r * inputs) < 1e-5);
      // Far from most outputs: an error next to 0 has few digits.
      y[r] = random.sign() * random.uniform(2, 4);
    }
  }

  int64_t length() const { return gradient_length(network.parameter_count); }

  rs::gpu::Rows in_order(int64_t first = 0) const { return {x.get(), y.get(), first, rs::Shuffle(), false}; }
  rs::gpu::Rows shuffled(int64_t first, const rs::Shuffle& shuffle) const {
    return {x.get(), y.get(), first, shuffle, true};
  }

  // The gradient vector of `count` rows in float64, without padding.
  std::vector<double> reference(const rs::gpu::Rows& of, int64_t count, float loss_weight) const {
    std::vector<double> gradient(static_cast<size_t>(network.parameter_count) + 1);
    ReferenceNetwork reference(network, parameters.get());
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = of.at(i);
      gradient.back() += reference.backward(x.get() + row * inputs, y.get() + row, &loss_weight, gradient);
    }
    return gradient;
  }

 private:
  static std::vector<int32_t> sizes(int32_t inputs, int32_t hidden) { return {inputs, hidden, 1}; }
};

// sum[i] = the exact sum over blocks of gradients[b][i].
inline std::vector<float> add_blocks(const float* gradients, int64_t blocks, int64_t length) {
  std::vector<float> sum(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    rs::ExactSum exact;
    for (int64_t b = 0; b < blocks; ++b) exact.add(gradients[b * length + i]);
    sum[static_cast<size_t>(i)] = exact.result();
  }
  return sum;
}

// |gradient - reference| / |reference| over the parameters, and the loss's relative error.
struct Errors {
  double gradient, loss;

  Errors(const float* got, const std::vector<double>& expected) {
    const size_t count = expected.size() - 1;
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; ++i) {
      difference += (got[i] - expected[i]) * (got[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    gradient = std::sqrt(difference / size);
    loss = std::fabs(got[count] - expected[count]) / expected[count];
  }
};

}  // namespace test
