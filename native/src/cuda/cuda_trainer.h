// A network in training on one GPU.
//
// Parameters, the optimizer's state and datasets stay on the device. A fit runs ahead of the host: windows of steps
// are enqueued while earlier ones run, and what became of them is read from copies of the step state that follow each.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "collective/gradient_sum.h"
#include "collective/nccl.h"
#include "collective/nccl_memory.h"
#include "cuda/dataset_rows.h"
#include "cuda/device.h"
#include "cuda/gradient.h"
#include "cuda/graph.h"
#include "cuda/memory.h"
#include "cuda/staging.h"
#include "cuda/stream.h"
#include "cuda/window.h"
#include "optimizer.h"
#include "ringstep.h"
#include "trainer.h"

namespace rs::cuda {

// Whether the average of the parameters moves with the step that a fit takes next, or with the end of its epoch.
inline bool averages_step(const rs_fit& fit) { return fit.average.kind == RS_EMA; }
inline bool averages_epoch(const rs_fit& fit) { return fit.average.kind == RS_SWA && fit.epoch >= fit.average.swa_start; }

class Trainer final : public rs_trainer {
 public:
  // The device must be the calling thread's.
  Trainer(Network network, const rs_trainer_options& options, Device& device);
  ~Trainer() override;

  const char* path(int64_t batch) const override { return name_of(gradients_.path(batch)); }
  double last_loss() const override { return last_loss_; }
  void initialize(uint64_t seed) override;
  void get_parameters(float* parameters) const override;
  void set_parameters(const float* parameters) override;
  void set_learning_rate(double lr) override;
  int64_t state_count() const override;
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

 private:
  // What the host is told of a window of steps once it is done.
  struct Seen {
    gpu::StepState state;
    double epoch_loss_sums[kMostSteps];
  };

  class Run;  // one call of fit, in windows

  double mean(double sum, int64_t rows) const;
  LossWeights set_loss_weights(const float* target_scale);
  void begin_fit(const rs_fit& fit, int64_t rows);
  void leave_schedule();
  void reset_optimizer();
  void clear_failure();
  void reserve(int64_t batch);
  void forget_graphs();

  void enqueue_step(const gpu::Rows& rows, int64_t count, LossWeights weights);
  gpu::Rows stage(const float* x, const float* y, int64_t rows);
  void enqueue_small_step(int64_t rows);
  rs_status finish_step(int64_t rows);
  void apply(BlockGradients blocks, int64_t rows);
  void reserve_average();
  void enqueue_average(const rs_average& average);
  rs_status fit_alone(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights);
  rs_status fit_persistent(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights);
  gpu::StepState& see_state() const;

  // With other ranks: ranks.cpp.
  void enqueue_step_of_ranks(const gpu::Rows& rows, int64_t count, LossWeights weights);
  rs_status fit_with_ranks(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights);
  void leave_ranks();
  void join_by_nccl();
  int64_t words_of_sum() const;
  void enqueue_step_of_fit(const gpu::Rows& rows, int64_t count, int64_t batch, LossWeights weights);
  void reserve_gathered(int64_t batch);
  void agree_on_graph();
  int64_t own_rows(int64_t count) const;
  bool record_graph(const gpu::Rows& rows, int64_t count, LossWeights weights);
  std::pair<int64_t, int64_t> own_blocks(int64_t count) const;
  void begin_sum_by_nccl(int64_t count);
  void enqueue_step_by_nccl(const gpu::Rows& rows, int64_t count, LossWeights weights);
  void sum_by_nccl_is_enqueued(int64_t count);
  void enqueue_sum_by_nccl(BlockGradients own, int64_t rows);
  void end_sum_by_nccl();
  void require_whole_batch(int64_t summed, int64_t rows) const;
  void meet_ranks();
  bool ranks_stop();

  Device& device_;
  mutable Stream stream_;
  rs_optimizer optimizer_;
  Gradient gradients_;

  DeviceArray<float> parameters_;
  DeviceArray<float> m_, v_;                 // the optimizer's state, where it has any
  DeviceArray<float> gradient_;              // [length], where it is asked for
  DeviceArray<float> average_;               // [length], of the parameters, where a fit keeps one
  DeviceArray<gpu::StepState> state_;
  DeviceArray<double> epoch_loss_sums_;      // [kMostSteps]: of the epochs that end within a window
  DeviceArray<float> loss_weights_;          // [outputs]
  std::vector<float> known_loss_weights_;    // what they are
  DeviceArray<float> staged_x_, staged_y_;   // rows of the host's
  DeviceArray<float> window_x_, window_y_;   // rows of a window, in the order they are visited
  DeviceArray<gpu::LatencyModel> model_;     // of the persistent kernel
  DeviceArray<double> losses_;               // of epochs that end within its launch
  DeviceArray<float> row_losses_;            // of evaluate

  mutable Staging staging_;
  PinnedArray<Seen> seen_;                   // [kFlights]
  Event landed_[kFlights];                   // seen_ holds what a window left
  PinnedArray<float> small_step_;            // x and y of a small step
  PinnedArray<int32_t> stop_;                // what the persistent kernel looks at
  PinnedArray<gpu::LatencyModel> seen_model_;
  PinnedArray<double> seen_losses_;

  Graph window_graph_, step_graph_;
  WindowShape window_shape_ = {};  // of window_graph_, or of the last window
  float window_loss_weight_ = 0;
  rs_average window_average_ = {};
  int64_t step_graph_rows_ = 0;
  int64_t previous_rows_ = 0;

  int64_t applied_ = 0;  // steps that the state had counted when it was last seen
  int64_t averaged_ = 0;  // parameters that the average is of
  bool failed_ = false;  // the state says so, until it is cleared
  bool scheduled_ = false;  // likewise
  double last_loss_;

  // Null where this trainer is alone.
  std::unique_ptr<collective::GradientSum> ranks_;
  std::vector<float> own_sums_, all_sums_;  // of this rank's blocks; of the batch
  // NCCL among them sums in the GPU's memory, on this trainer's stream.
  collective::Nccl* nccl_ = nullptr;
  collective::GradientSum::Reduce reduce_ = collective::GradientSum::kExact;
  // What NCCL sums: digits [11][length] of the exact sum, or floats [length]; then the tally. In a window of NCCL's, or
  // where there is none in memory like any other.
  std::unique_ptr<collective::NcclMemory> window_;
  DeviceArray<int64_t> no_window_;
  int64_t* sum_ = nullptr;
  // A step of a fit with its sum, as a graph: of so many rows, which were gathered to window_x_ and window_y_.
  bool captures_ = false;
  Graph rank_graph_;
  int64_t rank_graph_rows_ = 0;  // of rank_graph_, or of the last whole batch
  float rank_graph_loss_weight_ = 0;
  PinnedArray<int64_t> tally_;              // [2]: rows, and whether to stop
  Event summed_;
  int64_t sum_under_way_ = 0;               // rows of the batch whose sum nobody has waited for yet
  int64_t work_alone_ = 0;                  // since the ranks last heard of each other, in rows x parameters
  bool stop_agreed_ = false;                // some rank wants to stop, and all know
};

}  // namespace rs::cuda
