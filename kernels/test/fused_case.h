// A small network with random parameters and data, and what float64 says of it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "blocks.h"
#include "check.h"
#include "device_array.h"
#include "exact_sum.h"
#include "fused_network.h"
#include "network.h"
#include "random.h"
#include "reference_network.h"
#include "rows.h"

namespace test {

// Floats as cudaMalloc gives them, which a function can return.
class Array {
 public:
  explicit Array(int64_t length) : floats_(std::make_shared<Floats>(length)) {}

  float* get() const { return floats_->get(); }
  int64_t length() const { return floats_->size(); }
  float& operator[](int64_t i) const { return (*floats_)[i]; }
  bool same_bits(const Array& other) const {
    const size_t bytes = static_cast<size_t>(length()) * sizeof(float);
    return length() == other.length() && std::memcmp(get(), other.get(), bytes) == 0;
  }

 private:
  std::shared_ptr<Floats> floats_;
};

inline int64_t gradient_length(int64_t parameter_count) { return (parameter_count + 16) / 16 * 16; }

struct FusedCase {
  rs::Network network;
  int32_t inputs, hidden;
  int64_t rows;
  Array parameters, x, y;

  // No hidden unit's z is closer to 0 than `margin`: where float64 and the kernel differ in its sign, a ReLU switches.
  FusedCase(int32_t inputs, int32_t hidden, rs_activation activation, int64_t rows, uint64_t seed, double margin = 1e-5)
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
      ReferenceNetwork reference(network, parameters.get());
      do {
        for (int32_t i = 0; i < inputs; ++i) x[r * inputs + i] = random.uniform(-2, 2);
      } while (activation == RS_RELU && reference.nearest_to_zero(x.get() + r * inputs) < margin);
      // Beyond most outputs: errors next to 0, and sums that cancel, have few digits.
      y[r] = random.uniform(2, 4);
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
