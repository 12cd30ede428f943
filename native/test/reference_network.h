// A network in float64, written for clarity alone: what the kernels are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "network.h"

namespace test {

// The length of what separates two vectors, beside that of the expected one.
inline double relative_error(const float* actual, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

class ReferenceNetwork {
 public:
  ReferenceNetwork(const rs::Network& network, const float* parameters)
      : network_(network), parameters_(parameters), activations_(network.layers.size() + 1), derivatives_(network.layers.size()) {}

  // The outputs for one row.
  const std::vector<double>& forward(const float* x) {
    activations_[0].assign(x, x + network_.inputs());
    nearest_to_zero_ = INFINITY;
    for (size_t l = 0; l < network_.layers.size(); ++l) forward_layer(l);
    return activations_.back();
  }

  // The least |z| of any hidden unit.
  double nearest_to_zero(const float* x) {
    forward(x);
    return nearest_to_zero_;
  }

  // Adds one row's derivatives of the squared errors to `gradient`; returns its weighted loss.
  double backward(const float* x, const float* y, const float* loss_weights, std::vector<double>& gradient) {
    std::vector<double> dz = forward(x);
    double loss = 0;
    for (size_t o = 0; o < dz.size(); ++o) {
      const double e = dz[o] - y[o];
      loss += loss_weights[o] * e * e;
      dz[o] = 2 * e;
    }
    backward_from(std::move(dz), gradient);
    return loss;
  }

  // The same from the derivatives of any loss by the outputs that forward() has given.
  void backward_from(std::vector<double> dz, std::vector<double>& gradient) {
    for (size_t l = network_.layers.size(); l-- > 0;) dz = backward_layer(l, dz, gradient);
  }

  // What dropout multiplies hidden unit j of layer l by, from the next forward() on: kept[l][j].
  void set_kept(std::vector<std::vector<double>> kept) { kept_ = std::move(kept); }

 private:
  void forward_layer(size_t l) {
    const rs::Layer& layer = network_.layers[l];
    const bool hidden = l + 1 < network_.layers.size();
    const std::vector<double>& a = activations_[l];
    std::vector<double>& h = activations_[l + 1];
    h.resize(static_cast<size_t>(layer.out));
    derivatives_[l].clear();
    for (int32_t j = 0; j < layer.out; ++j) {
      const float* weight = parameters_ + layer.weight + int64_t{j} * layer.in;
      double z = parameters_[layer.bias + j];
      for (int32_t i = 0; i < layer.in; ++i) z += weight[i] * a[static_cast<size_t>(i)];
      if (hidden) nearest_to_zero_ = std::min(nearest_to_zero_, std::fabs(z));
      h[static_cast<size_t>(j)] = hidden ? activate(z) * kept(l, static_cast<size_t>(j)) : z;
      if (hidden) derivatives_[l].push_back(derivative(activate(z)) * kept(l, static_cast<size_t>(j)));
    }
  }

  // From the derivatives by layer l's z to those by the z of the layer before it.
  std::vector<double> backward_layer(size_t l, const std::vector<double>& dz, std::vector<double>& gradient) {
    const rs::Layer& layer = network_.layers[l];
    const std::vector<double>& a = activations_[l];
    std::vector<double> da(a.size());
    for (int32_t j = 0; j < layer.out; ++j) {
      const double d = dz[static_cast<size_t>(j)];
      const int64_t first = layer.weight + int64_t{j} * layer.in;
      for (int32_t i = 0; i < layer.in; ++i) {
        gradient[static_cast<size_t>(first + i)] += d * a[static_cast<size_t>(i)];
        da[static_cast<size_t>(i)] += d * parameters_[first + i];
      }
      gradient[static_cast<size_t>(layer.bias + j)] += d;
    }
    for (size_t i = 0; l > 0 && i < a.size(); ++i) da[i] *= derivatives_[l - 1][i];
    return da;
  }

  double kept(size_t l, size_t j) const { return kept_.empty() ? 1 : kept_[l][j]; }

  double activate(double z) const {
    switch (network_.activation) {
      case RS_RELU: return z > 0 ? z : 0;
      case RS_TANH: return std::tanh(z);
      case RS_SIGMOID: return 1 / (1 + std::exp(-z));
      default: return z;
    }
  }

  // f'(z), where h = f(z).
  double derivative(double h) const {
    switch (network_.activation) {
      case RS_RELU: return h > 0 ? 1 : 0;
      case RS_TANH: return 1 - h * h;
      case RS_SIGMOID: return h * (1 - h);
      default: return 1;
    }
  }

  const rs::Network& network_;
  const float* parameters_;
  std::vector<std::vector<double>> activations_;  // of the input, then of every layer
  std::vector<std::vector<double>> derivatives_;  // of every hidden unit by its z
  std::vector<std::vector<double>> kept_;         // empty where nothing is dropped
  double nearest_to_zero_ = 0;
};

}  // namespace test
