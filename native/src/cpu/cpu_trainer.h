// A network in training on the CPU.
#pragma once

#include <memory>
#include <vector>

#include "aligned_buffer.h"
#include "blocks.h"
#include "collective/gradient_sum.h"
#include "cpu/collapsed.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "network.h"
#include "optimizer.h"
#include "parameters.h"
#include "pause.h"
#include "ringstep.h"
#include "schedule.h"
#include "trainer.h"

namespace rs::cpu {

// Memory that a call needs and that holds nothing from one call to the next: trainers may take turns with it.
struct Scratch {
  AlignedBuffer gradient;
  AlignedBuffer block_gradients;  // [blocks][length]
  std::vector<AlignedBuffer> workspaces = std::vector<AlignedBuffer>(1);  // of each worker
};

class Trainer final : public rs_trainer {
 public:
  Trainer(Network network, const Settings& settings, const rs_optimizer& optimizer, int threads);

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

  int64_t averaged() const override { return averaged_; }
  void get_average(float* average) const override;
  void set_average(const float* average, int64_t averaged) override;
  void swap_average() override;

  // ---- for an ensemble, whose models share threads and memory ----

  void set_threads(int threads) { threads_ = threads; }
  void swap_scratch(Scratch& scratch) { std::swap(scratch_, scratch); }

  // Whether steps of `rows` rows run in the loop for small networks.
  bool takes_small_steps(int64_t rows) const;

  // The network, and that which batches go through with its own parameters; they are the same but where there is a collapsed one.
  NetworkView view() const;
  NetworkView batch_view() const;
  const float* batch_parameters(const float* parameters) { return collapsed_ ? collapsed_->fold(parameters) : parameters; }

  // What an ensemble looks at next, on its way into the cache: first the trainer, then, once that is there, the parameters.
  void prefetch() const;
  void prefetch_parameters() const;

  Optimizer& optimizer() { return optimizer_; }
  const float* parameters() const { return parameters_.flat(); }
  float* change_parameters() { return parameters_.change_flat(); }
  void set_last_loss(double loss) { last_loss_ = loss; }

  // The average that a fit keeps, where an ensemble does the steps.
  void forget_average() { averaged_ = 0; }
  const float* average() const { return average_.get(); }
  float* change_average();
  void count_averaged(int64_t parameters) { averaged_ += parameters; }
  void add_epoch_to_average() { add_to_average(1 / static_cast<double>(averaged_ + 1)); }

  // Takes over the parameters, their average and the optimizer's state of a trainer with the same settings.
  void copy_state(Trainer& other);

 private:
  Pass pass(const float* loss_weights, const float* sample_weights) const;
  Pass batch_pass(const Pass& p);
  std::vector<float> loss_weights(const float* target_scale) const;
  double mean(double sum, double weight) const;
  double weight_of(int64_t rows, const float* sample_weights) const;

  void prepare(int64_t rows);
  Dropout next_dropout(int64_t first) const;
  void sum_gradient(const Pass& p, const Rows& rows, int64_t count);
  void sum_batch(const Pass& p, const Rows& rows, int64_t count);
  void sum_row_gradients(const Pass& p, const Rows& rows, int64_t count);
  int64_t blocks_a_task(const Blocks& blocks) const;
  void block_gradients(const Pass& p, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end);
  void add_blocks(const Blocks& blocks);
  void add_ranks(const Pass& p, const Rows& rows, const Blocks& blocks);
  void meet_ranks();
  int64_t rows_to_meeting() const;
  bool stops();
  rs_status train(const Pass& p, const Rows& rows, int64_t count, rs_fit& fit);
  rs_status small_steps(const Rows& rows, int64_t count, float loss_weight, double* loss_sum, int64_t* steps);
  bool takes_small_batch(int64_t rows) const;
  rs_status small_batch(const Rows& rows, int64_t count, float loss_weight, double* loss_sum);
  float shape_gradient(double scale);
  void update(double scale);
  rs_status fit_rows(const rs_dataset& data, rs_fit& fit, const Shuffle* shuffle, const Pass& p,
                     const Schedule& schedule, Pause& pause);
  rs_status fit_epochs(const rs_dataset& data, rs_fit& fit, const Schedule& schedule);
  void add_to_average(double share);

  float* workspace(int worker) { return scratch_.workspaces[static_cast<size_t>(worker)].get(); }

  const Kernels& kernels_;
  const SmallNetwork* small_;  // null where there is none for this shape
  const std::unique_ptr<Collapsed> collapsed_;  // null where batches go through all layers
  const int64_t row_path_batch_;  // batches below it take their rows one by one
  int threads_;
  const int64_t length_;  // of a gradient vector
  const int64_t batch_parameters_, batch_length_;  // of what batches go through
  Optimizer optimizer_;
  Parameters parameters_;
  Scratch scratch_;
  std::vector<float> unit_weights_;  // [outputs], all 1
  double last_loss_;
  AlignedBuffer average_;  // [length_], of the parameters, where a fit keeps one
  int64_t averaged_ = 0;   // parameters it is of

  // Null where this trainer is alone.
  std::unique_ptr<collective::GradientSum> ranks_;
  int64_t work_alone_ = 0;    // since the ranks last heard of each other, in rows x parameters
  bool stop_agreed_ = false;  // some rank wants to stop, and all know
};

}  // namespace rs::cpu
