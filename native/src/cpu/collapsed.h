// A network without activations as the one linear map that it amounts to: rows go through the map alone, and the
// derivatives by the map give those by every layer. Exact in real numbers; in floats it rounds otherwise than the layers.
//
// With a = [x, 1] and layer l's input A_l a: A_0 = I, A_(l+1) a = W_l A_l a + b_l, and the map is the last. With D_l the
// sum over rows of (derivative by layer l's output) a^T: D_(l-1) = W_l^T D_l, dW_l = D_l A_l^T, db_l = D_l's last column.
#pragma once

#include <cstdint>
#include <vector>

#include "network.h"

namespace rs::cpu {

class Collapsed {
 public:
  // `network` has no activation, and must live longer than this.
  explicit Collapsed(const Network& network);

  // One layer, from the network's inputs to its outputs.
  const Network& map() const { return map_; }

  // The map's parameters, from the network's.
  const float* fold(const float* parameters);

  // Turns the sum of derivatives by the map's parameters into that by the network's, in place; the two sums behind move
  // along. `parameters` are those that were folded last.
  void expand(const float* parameters, float* gradient) const;

 private:
  using Matrix = std::vector<double>;  // of so many columns as there are inputs, and one more

  double* row(Matrix& m, int64_t i) const { return m.data() + i * columns_; }
  const double* row(const Matrix& m, int64_t i) const { return m.data() + i * columns_; }
  Matrix first_layer(const float* parameters) const;
  Matrix through(const Layer& layer, const float* parameters, const Matrix& input) const;
  Matrix back_through(const Layer& layer, const float* parameters, const Matrix& output) const;
  void layer_gradient(const Layer& layer, const Matrix& input, const Matrix& output, float* gradient) const;

  const Network& network_;
  const Network map_;
  const int64_t columns_;
  std::vector<Matrix> inputs_;  // of every layer but the first
  std::vector<float> map_parameters_;
};

}  // namespace rs::cpu
