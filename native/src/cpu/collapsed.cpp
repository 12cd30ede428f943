#include "cpu/collapsed.h"

#include <algorithm>

#include "cpu/kernels.h"

namespace rs::cpu {
namespace {

Network one_layer(const Network& network) {
  const int32_t sizes[] = {network.inputs(), network.outputs()};
  return Network(sizes, 2, RS_IDENTITY);
}

void add_multiple(double factor, const double* from, int64_t count, double* to) {
  for (int64_t c = 0; c < count; ++c) to[c] += factor * from[c];
}

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += a[c] * b[c];
  return sum;
}

}  // namespace

Collapsed::Collapsed(const Network& network)
    : network_(network),
      map_(one_layer(network)),
      columns_(int64_t{network.inputs()} + 1),
      inputs_(network.layers.size()),
      map_parameters_(static_cast<size_t>(map_.parameter_count)) {}

// [W_0, b_0]: what the first layer makes of [x, 1].
Collapsed::Matrix Collapsed::first_layer(const float* parameters) const {
  const Layer& layer = network_.layers.front();
  Matrix map(static_cast<size_t>(layer.out * columns_));
  for (int64_t j = 0; j < layer.out; ++j) {
    std::copy_n(parameters + layer.weight + j * layer.in, layer.in, row(map, j));
    row(map, j)[layer.in] = parameters[layer.bias + j];
  }
  return map;
}

Collapsed::Matrix Collapsed::through(const Layer& layer, const float* parameters, const Matrix& input) const {
  Matrix output(static_cast<size_t>(layer.out * columns_));
  for (int64_t j = 0; j < layer.out; ++j) {
    const float* weight = parameters + layer.weight + j * layer.in;
    for (int64_t i = 0; i < layer.in; ++i) add_multiple(weight[i], row(input, i), columns_, row(output, j));
    row(output, j)[columns_ - 1] += parameters[layer.bias + j];
  }
  return output;
}

const float* Collapsed::fold(const float* parameters) {
  Matrix map = first_layer(parameters);
  for (size_t l = 1; l < network_.layers.size(); ++l) {
    inputs_[l] = std::move(map);
    map = through(network_.layers[l], parameters, inputs_[l]);
  }
  const Layer& layer = map_.layers.front();
  for (int64_t o = 0; o < layer.out; ++o) {
    for (int64_t i = 0; i < layer.in; ++i) {
      map_parameters_[static_cast<size_t>(layer.weight + o * layer.in + i)] = static_cast<float>(row(map, o)[i]);
    }
    map_parameters_[static_cast<size_t>(layer.bias + o)] = static_cast<float>(row(map, o)[layer.in]);
  }
  return map_parameters_.data();
}

Collapsed::Matrix Collapsed::back_through(const Layer& layer, const float* parameters, const Matrix& output) const {
  Matrix input(static_cast<size_t>(layer.in * columns_));
  for (int64_t j = 0; j < layer.out; ++j) {
    const float* weight = parameters + layer.weight + j * layer.in;
    for (int64_t i = 0; i < layer.in; ++i) add_multiple(weight[i], row(output, j), columns_, row(input, i));
  }
  return input;
}

// The first layer's input is the row itself: its derivatives are D_0's columns as they are.
void Collapsed::layer_gradient(const Layer& layer, const Matrix& input, const Matrix& output, float* gradient) const {
  for (int64_t j = 0; j < layer.out; ++j) {
    float* weight = gradient + layer.weight + j * layer.in;
    const double* d = row(output, j);
    for (int64_t i = 0; i < layer.in; ++i) {
      weight[i] = static_cast<float>(input.empty() ? d[i] : dot(d, row(input, i), columns_));
    }
    gradient[layer.bias + j] = static_cast<float>(d[columns_ - 1]);
  }
}

void Collapsed::expand(const float* parameters, float* gradient) const {
  const Layer& map = map_.layers.front();
  Matrix d(static_cast<size_t>(map.out * columns_));
  for (int64_t o = 0; o < map.out; ++o) {
    std::copy_n(gradient + map.weight + o * map.in, map.in, row(d, o));
    row(d, o)[map.in] = gradient[map.bias + o];
  }
  const float loss = gradient[map_.parameter_count], weight = gradient[map_.parameter_count + 1];
  for (size_t l = network_.layers.size(); l-- > 0;) {
    layer_gradient(network_.layers[l], inputs_[l], d, gradient);
    if (l > 0) d = back_through(network_.layers[l], parameters, d);
  }
  const int64_t count = network_.parameter_count;
  std::fill(gradient + count, gradient + gradient_length(count), 0.0f);
  gradient[count] = loss;
  gradient[count + 1] = weight;
}

}  // namespace rs::cpu
