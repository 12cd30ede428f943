// A network in training on the CPU.
#pragma once

#include <vector>

#include "aligned_buffer.h"
#include "blocks.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "network.h"
#include "optimizer.h"
#include "parameters.h"
#include "pause.h"
#include "ringstep.h"

struct rs_trainer {
 public:
  rs_trainer(rs::Network network, const rs_optimizer& optimizer, int threads);

  const rs::Network& network() const { return network_; }
  double last_loss() const { return last_loss_; }

  void initialize(uint64_t seed);
  void get_parameters(float* parameters) const;
  void set_parameters(const float* parameters);
  void set_learning_rate(double lr) { optimizer_.set_learning_rate(lr); }

  rs_status step(const float* x, const float* y, int64_t rows);
  double gradient(const float* x, const float* y, int64_t rows, float* gradient);
  rs_status fit(const rs_dataset& data, rs_fit& fit);
  double evaluate(const rs_dataset& data, const float* target_scale);
  void predict(const float* x, int64_t rows, float* y);

 private:
  rs::cpu::NetworkView view() const;
  rs::cpu::Pass pass(const float* loss_weights) const;
  std::vector<float> loss_weights(const float* target_scale) const;
  double mean(double sum, int64_t rows) const;

  bool takes_small_steps(int64_t rows) const;
  void prepare(int64_t rows);
  void sum_gradient(const rs::cpu::Rows& rows, int64_t count, const float* loss_weights);
  void add_blocks(const rs::Blocks& blocks);
  rs_status train(const rs::cpu::Rows& rows, int64_t count, const float* loss_weights, double* loss_sum);
  rs_status small_steps(const rs::cpu::Rows& rows, int64_t count, float loss_weight, double* loss_sum, int64_t* steps);
  void update(int64_t rows);
  rs_status fit_rows(const rs_dataset& data, rs_fit& fit, const rs::Shuffle* shuffle, const float* loss_weights,
                     rs::Pause& pause);

  float* workspace(int worker) { return workspaces_[static_cast<size_t>(worker)].get(); }

  const rs::Network network_;
  const rs::cpu::Kernels& kernels_;
  const rs::cpu::SmallNetwork* small_;  // null where there is none for this shape
  const int threads_;
  const int64_t length_;  // of a gradient vector
  rs::Optimizer optimizer_;
  rs::Parameters parameters_;
  rs::AlignedBuffer gradient_;
  rs::AlignedBuffer block_gradients_;  // [blocks][length_]
  std::vector<rs::AlignedBuffer> workspaces_;  // of each worker
  std::vector<float> unit_weights_;            // [outputs], all 1
  double last_loss_;
};
