#include "probabilities.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rs {
namespace {

void softmax(int32_t outputs, float* y, std::vector<double>& powers) {
  const double most = *std::max_element(y, y + outputs);
  double sum = 0;
  for (int32_t c = 0; c < outputs; ++c) sum += powers[static_cast<size_t>(c)] = std::exp(y[c] - most);
  for (int32_t c = 0; c < outputs; ++c) y[c] = static_cast<float>(powers[static_cast<size_t>(c)] / sum);
}

}  // namespace

void to_probabilities(rs_loss_kind loss, int64_t rows, int32_t outputs, float* y) {
  if (loss == RS_BCE) {
    for (int64_t i = 0; i < rows * outputs; ++i) y[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(y[i]))));
  } else if (loss == RS_CROSS_ENTROPY) {
    std::vector<double> powers(static_cast<size_t>(outputs));
    for (int64_t row = 0; row < rows; ++row) softmax(outputs, y + row * outputs, powers);
  }
}

}  // namespace rs
