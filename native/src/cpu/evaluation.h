// Mean losses over rows, forward only: what Trainer::evaluate computes, from a network's parameters alone.
//
// Of many models it is their trainers that are slow to look at, as they lie far away in memory; a network's shape and
// settings are the same for all.
#pragma once

#include <vector>

#include "aligned_buffer.h"
#include "blocks.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "network.h"
#include "settings.h"

namespace rs::cpu {

// What the units of the targets do to a loss: squares go with squares. weights [outputs]; target_scale may be null.
void set_loss_weights(const Settings& settings, int32_t outputs, const float* target_scale, float* weights);

// Of a sum over rows that weigh so much together, `width` targets each; over nothing it is 0.
double mean_loss(double sum, double weight, int32_t width);

// What rows [first, first + rows) weigh together.
double weight_of_rows(const rs_dataset& data, int64_t first, int64_t rows);

class Evaluation {
 public:
  // `batch_network` is what batches go through.
  Evaluation(const NetworkView& network, const NetworkView& batch_network, const Settings& settings);

  // One thread's own memory.
  struct Memory {
    AlignedBuffer workspace;
    std::vector<float> loss_weights;
  };

  // Whether so many rows are a batch, and need the parameters of the network for these.
  static bool is_batch(int64_t rows) { return rows >= kRowPathBatch; }

  // The mean loss over rows [first, first + rows), at least one of them.
  double run(const float* parameters, const rs_dataset& data, int64_t first, int64_t rows, const float* target_scale,
             Memory& memory) const;

 private:
  const Kernels& kernels_;
  const NetworkView network_, batch_network_;
  const Settings settings_;
  const int32_t outputs_;
  const int64_t workspace_length_;
};

}  // namespace rs::cpu
