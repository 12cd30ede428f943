#include "cpu/evaluation.h"

#include <algorithm>
#include <numeric>

namespace rs::cpu {

void set_loss_weights(const Settings& settings, int32_t outputs, const float* target_scale, float* weights) {
  const rs_loss_kind kind = settings.loss.kind;
  if (!target_scale || kind == RS_BCE || kind == RS_CROSS_ENTROPY) {
    std::fill_n(weights, outputs, 1.0f);
    return;
  }
  for (int32_t o = 0; o < outputs; ++o) weights[o] = target_scale[o] * (kind == RS_MAE ? 1.0f : target_scale[o]);
}

double mean_loss(double sum, double weight, int32_t width) { return weight == 0 ? 0 : sum / (weight * width); }

double weight_of_rows(const rs_dataset& data, int64_t first, int64_t rows) {
  const float* weights = data.weights.get();
  return weights ? std::accumulate(weights + first, weights + first + rows, 0.0) : static_cast<double>(rows);
}

Evaluation::Evaluation(const NetworkView& network, const NetworkView& batch_network, const Settings& settings)
    : kernels_(kernels()),
      network_(network),
      batch_network_(batch_network),
      settings_(settings),
      outputs_(network.layers[network.count - 1].out),
      workspace_length_(std::max(kernels_.workspace_length(network), kernels_.workspace_length(batch_network))) {}

double Evaluation::run(const float* parameters, const rs_dataset& data, int64_t first, int64_t rows, const float* target_scale,
                       Memory& memory) const {
  memory.workspace.reserve(workspace_length_);
  memory.loss_weights.resize(static_cast<size_t>(outputs_));
  set_loss_weights(settings_, outputs_, target_scale, memory.loss_weights.data());
  const NetworkView& network = is_batch(rows) ? batch_network_ : network_;
  const Pass pass = {network, parameters, memory.loss_weights.data(), settings_.loss, data.weights.get()};
  const auto rows_from = [&](int64_t begin) { return Rows{data.x.get(), data.y.get(), first + begin, nullptr}; };
  double sum = 0;
  if (is_batch(rows)) {
    const Blocks blocks(rows, network.parameter_count);
    for (int64_t block = 0; block < blocks.count; ++block) {
      sum += kernels_.block_loss(pass, rows_from(blocks.first(block)), blocks.size(block), memory.workspace.get());
    }
  } else {
    sum = kernels_.row_loss(pass, rows_from(0), rows, memory.workspace.get());
  }
  return mean_loss(sum, weight_of_rows(data, first, rows), target_width(settings_.loss.kind, outputs_));
}

}  // namespace rs::cpu
