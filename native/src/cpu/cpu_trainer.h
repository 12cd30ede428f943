// A network in training on the CPU.
#pragma once

#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "blocks.h"
#include "collective/gradient_sum.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "network.h"
#include "optimizer.h"
#include "parameters.h"
#include "pause.h"
#include "ringstep.h"
#include "trainer.h"

namespace rs::cpu {

class Trainer final : public rs_trainer {
 public:
  Trainer(Network network, const rs_optimizer& optimizer, int threads);

  const char* path(int64_t batch) const override;
  double last_loss() const override { return last_loss_; }
  void initialize(uint64_t seed) override;
  void get_parameters(float* parameters) const override;
  void set_parameters(const float* parameters) override;
  void set_learning_rate(double lr) override { optimizer_.set_learning_rate(lr); }
  int64_t state_count() const override { return optimizer_.moments() * network_.parameter_count; }
  void get_state(float* moments, rs_optimizer_state& state) const override;
  void set_state(const float* moments, const rs_optimizer_state& state) override;

  rs_status step(const float* x, const float* y, int64_t rows) override;
  double gradient(const float* x, const float* y, int64_t rows, float* gradient) override;
  rs_status fit(const rs_dataset& data, rs_fit& fit) override;
  double evaluate(const rs_dataset& data, const float* target_scale) override;
  void predict(const float* x, int64_t rows, float* y) override;
  void set_communicator(collective::Communicator* communicator, collective::GradientSum::Reduce reduce) override;

 private:
  NetworkView view() const;
  Pass pass(const float* loss_weights) const;
  std::vector<float> loss_weights(const float* target_scale) const;
  double mean(double sum, int64_t rows) const;

  bool takes_small_steps(int64_t rows) const;
  void prepare(int64_t rows);
  void sum_gradient(const Rows& rows, int64_t count, const float* loss_weights);
  int64_t blocks_a_task(const Blocks& blocks) const;
  void block_gradients(const Pass& p, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end);
  void add_blocks(const Blocks& blocks);
  void add_ranks(const Pass& p, const Rows& rows, const Blocks& blocks);
  void meet_ranks();
  int64_t rows_to_meeting() const;
  bool stops();
  rs_status train(const Rows& rows, int64_t count, const float* loss_weights, double* loss_sum);
  rs_status small_steps(const Rows& rows, int64_t count, float loss_weight, double* loss_sum, int64_t* steps);
  void update(int64_t rows);
  rs_status fit_rows(const rs_dataset& data, rs_fit& fit, const Shuffle* shuffle, const float* loss_weights,
                     Pause& pause);

  float* workspace(int worker) { return workspaces_[static_cast<size_t>(worker)].get(); }

  const Kernels& kernels_;
  const SmallNetwork* small_;  // null where there is none for this shape
  const int threads_;
  const int64_t length_;  // of a gradient vector
  Optimizer optimizer_;
  Parameters parameters_;
  AlignedBuffer gradient_;
  AlignedBuffer block_gradients_;  // [blocks][length_]
  std::vector<AlignedBuffer> workspaces_;  // of each worker
  std::vector<float> unit_weights_;        // [outputs], all 1
  double last_loss_;

  // Null where this trainer is alone.
  std::unique_ptr<collective::GradientSum> ranks_;
  int64_t work_alone_ = 0;    // since the ranks last heard of each other, in rows x parameters
  bool stop_agreed_ = false;  // some rank wants to stop, and all know
};

}  // namespace rs::cpu
