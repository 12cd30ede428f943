#include "cuda/cuda_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "add_blocks_step.h"
#include "average.h"
#include "cuda/error.h"
#include "deadline.h"
#include "device_error.h"
#include "gather_rows.h"
#include "initialize.h"

static_assert(rs::cuda::kFlights == 4, "an event each is made by the trainer's constructor");

namespace rs::cuda {
namespace {

// x and y of a small step, which goes to the device in one copy.
constexpr int64_t kSmallStepFloats = 1 << 16;
// Of the rows of a window, gathered for its graph.
constexpr int64_t kWindowFloats = 1 << 24;
// Of one launch of the persistent kernel: some seconds at most, as the host's stop is heard within microseconds.
constexpr int64_t kLaunchSteps = 1 << 20;
// Epochs of which one such launch gives the losses.
constexpr int64_t kLaunchEpochs = 4096;
// Rows of predictions at once.
constexpr int64_t kPredictFloats = 1 << 22;

// Kernels read rows at multiples of 16 bytes.
int64_t padded(int64_t floats) { return (floats + 3) / 4 * 4; }

}  // namespace

Trainer::Trainer(Network network, const rs_trainer_options& options, Device& device)
    : rs_trainer(std::move(network)),
      device_(device),
      stream_(device.ordinal()),
      optimizer_(options.optimizer),
      gradients_(device, network_, is_persistent(optimizer_), static_cast<rs_precision>(options.precision), stream_),
      parameters_(device, gradients_.length(), "the parameters", stream_),
      gradient_(device, gradients_.length(), "the gradient", stream_),
      state_(device, 1, "the optimizer's state", stream_),
      epoch_loss_sums_(device, kMostSteps, "the losses of epochs", stream_),
      loss_weights_(device, network_.outputs(), "the weights of the loss", stream_),
      staging_(device.ordinal()),
      seen_(device.ordinal(), kFlights, "pinned memory for results"),
      landed_{Event(device.ordinal()), Event(device.ordinal()), Event(device.ordinal()), Event(device.ordinal())},
      small_step_(device.ordinal(), kSmallStepFloats, "pinned memory for steps"),
      stop_(device.ordinal(), 1, "pinned memory for a flag"),
      seen_model_(device.ordinal(), 1, "pinned memory for results"),
      seen_losses_(device.ordinal(), kLaunchEpochs, "pinned memory for results"),
      last_loss_(std::numeric_limits<double>::quiet_NaN()),
      tally_(device.ordinal(), 2, "pinned memory for a tally"),
      summed_(device.ordinal()) {
  const bool adam = optimizer_.kind != RS_SGD;
  if (adam || optimizer_.momentum != 0) m_ = {device_, gradients_.length(), "the optimizer's state", stream_};
  if (adam) v_ = {device_, gradients_.length(), "the optimizer's state", stream_};
  parameters_.clear();
  gradient_.clear();
  reset_optimizer();
  stream_.wait("creating a trainer");
}

// Work in flight, after an error, still uses the memory; a device that hangs is left alone.
Trainer::~Trainer() {
  if (is_lost(device_.ordinal())) {
    window_.release();
    return;
  }
  try {
    stream_.wait("closing a trainer");
  } catch (const std::exception&) {
  }
}

double Trainer::mean(double sum, int64_t rows) const {
  return sum / (static_cast<double>(rows) * network_.outputs());
}

LossWeights Trainer::set_loss_weights(const float* target_scale) {
  std::vector<float> weights(static_cast<size_t>(network_.outputs()), 1.0f);
  for (size_t o = 0; target_scale && o < weights.size(); ++o) weights[o] = target_scale[o] * target_scale[o];
  if (weights != known_loss_weights_) {
    loss_weights_.copy_from(weights.data(), static_cast<int64_t>(weights.size()));
    known_loss_weights_ = std::move(weights);
  }
  return {loss_weights_.get(), known_loss_weights_[0]};
}

// ---- parameters and the optimizer's state ----

void Trainer::reset_optimizer() {
  gpu::StepState fresh;
  fresh.settings = optimizer_;
  state_.copy_from(&fresh, 1);
  if (m_.get()) m_.clear();
  if (v_.get()) v_.clear();
  applied_ = 0;
  failed_ = false;
}

void Trainer::initialize(uint64_t seed) {
  std::vector<float> parameters(static_cast<size_t>(network_.parameter_count));
  rs::initialize(network_, seed, parameters.data());
  set_parameters(parameters.data());
}

void Trainer::get_parameters(float* parameters) const {
  const DeviceScope scope(device_.ordinal());
  staging_.copy_back(parameters, parameters_.get(), network_.parameter_count, stream_);
}

void Trainer::set_parameters(const float* parameters) {
  const DeviceScope scope(device_.ordinal());
  staging_.copy(parameters_.get(), parameters, network_.parameter_count, stream_);
  reset_optimizer();
  stream_.wait("setting the parameters");
}

void Trainer::set_learning_rate(double lr) {
  const DeviceScope scope(device_.ordinal());
  optimizer_.lr = lr;
  check(cudaMemcpyAsync(&state_.get()->settings, &optimizer_, sizeof optimizer_, cudaMemcpyHostToDevice, stream_),
        "setting the learning rate", device_.ordinal());
}

int64_t Trainer::state_count() const {
  return network_.parameter_count * ((m_.get() ? 1 : 0) + (v_.get() ? 1 : 0));
}

void Trainer::get_state(float* moments, rs_optimizer_state& state) const {
  const DeviceScope scope(device_.ordinal());
  const int64_t count = network_.parameter_count;
  if (m_.get()) staging_.copy_back(moments, m_.get(), count, stream_);
  if (v_.get()) staging_.copy_back(moments + count, v_.get(), count, stream_);
  const gpu::StepState& seen = see_state();
  state = {seen.steps, seen.beta1_power, seen.beta2_power};
}

// As it is now on the device, in pinned memory.
gpu::StepState& Trainer::see_state() const {
  state_.copy_to(&seen_[0].state, 1);
  stream_.wait("reading the optimizer's state");
  return seen_[0].state;
}

void Trainer::set_state(const float* moments, const rs_optimizer_state& state) {
  const DeviceScope scope(device_.ordinal());
  const int64_t count = network_.parameter_count;
  reset_optimizer();
  if (m_.get()) staging_.copy(m_.get(), moments, count, stream_);
  if (v_.get()) staging_.copy(v_.get(), moments + count, count, stream_);
  gpu::StepState restored;
  restored.settings = optimizer_;
  restored.steps = state.steps;
  restored.beta1_power = state.beta1_power;
  restored.beta2_power = state.beta2_power;
  state_.copy_from(&restored, 1);
  applied_ = state.steps;
  stream_.wait("setting the optimizer's state");
}

// ---- the average of the parameters ----

void Trainer::reserve_average() {
  if (average_.reserve(device_, gradients_.length(), "the average of the parameters", stream_)) forget_graphs();
}

// After the step that was enqueued last, or the epoch's end.
void Trainer::enqueue_average(const rs_average& average) {
  gpu::move_average(average, network_.parameter_count, parameters_.get(), average_.get(), state_.get(), stream_);
}

void Trainer::get_average(float* average) const {
  const DeviceScope scope(device_.ordinal());
  staging_.copy_back(average, average_.get(), network_.parameter_count, stream_);
}

void Trainer::set_average(const float* average, int64_t averaged) {
  const DeviceScope scope(device_.ordinal());
  reserve_average();
  staging_.copy(average_.get(), average, network_.parameter_count, stream_);
  stream_.wait("setting the average of the parameters");
  averaged_ = averaged;
}

// By way of memory that holds a gradient for the time of a call alone.
void Trainer::swap_average() {
  const DeviceScope scope(device_.ordinal());
  const auto copy = [&](float* to, const float* from) {
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(network_.parameter_count) * sizeof(float), cudaMemcpyDeviceToDevice, stream_),
          "exchanging the parameters and their average", device_.ordinal());
  };
  copy(gradient_.get(), average_.get());
  copy(average_.get(), parameters_.get());
  copy(parameters_.get(), gradient_.get());
}

// A step that was not applied is followed by others, should the caller wish so.
void Trainer::clear_failure() {
  if (!failed_) return;
  check(cudaMemsetAsync(&state_.get()->failed, 0, sizeof(int32_t), stream_), "clearing a failure", device_.ordinal());
  failed_ = false;
}

// Graphs hold the addresses of what was reserved when they were recorded.
void Trainer::reserve(int64_t batch) {
  if (gradients_.reserve(batch)) forget_graphs();
}

void Trainer::forget_graphs() {
  window_graph_ = Graph();
  step_graph_ = Graph();
  rank_graph_ = Graph();
}

// ---- one step ----

void Trainer::enqueue_step(const gpu::Rows& rows, int64_t count, LossWeights weights) {
  if (ranks_) return enqueue_step_of_ranks(rows, count, weights);
  apply(gradients_.enqueue(rows, count, parameters_.get(), weights), count);
}

// The optimizer's step with the mean over `rows` rows.
void Trainer::apply(BlockGradients blocks, int64_t rows) {
  const auto kind = static_cast<rs_optimizer_kind>(optimizer_.kind);
  const float scale = static_cast<float>(mean(1, rows));
  if (blocks.count == 1) {
    gpu::optimizer_step(kind, scale, blocks.all, network_.parameter_count, parameters_.get(), m_.get(), v_.get(), state_.get(),
                        stream_);
  } else {
    gpu::add_blocks_step(kind, scale, blocks.all, blocks.count, gradients_.length(), network_.parameter_count,
                         parameters_.get(), m_.get(), v_.get(), state_.get(), stream_);
  }
}

// Enqueues the copy of the host's rows.
gpu::Rows Trainer::stage(const float* x, const float* y, int64_t rows) {
  const int64_t inputs = rows * network_.inputs(), outputs = rows * network_.outputs();
  if (staged_x_.reserve(device_, inputs, "the rows of a step", stream_)) forget_graphs();
  staged_y_.reserve(device_, outputs, "the rows of a step", stream_);
  staging_.copy(staged_x_.get(), x, inputs, stream_);
  staging_.copy(staged_y_.get(), y, outputs, stream_);
  return {staged_x_.get(), staged_y_.get(), 0, Shuffle(), false};
}

// On the rows in small_step_: one copy to the device, the step, one copy back.
void Trainer::enqueue_small_step(int64_t rows) {
  const int64_t inputs = padded(rows * network_.inputs()), floats = inputs + rows * network_.outputs();
  staged_x_.copy_from(small_step_.get(), floats);
  enqueue_step({staged_x_.get(), staged_x_.get() + inputs, 0, Shuffle(), false}, rows, {loss_weights_.get(), 1.0f});
  check(cudaMemcpyAsync(&seen_[0].state, state_.get(), sizeof(gpu::StepState), cudaMemcpyDeviceToHost, stream_),
        "copying the result of a step", device_.ordinal());
}

rs_status Trainer::step(const float* x, const float* y, int64_t rows) {
  const DeviceScope scope(device_.ordinal());
  if (ranks_) ranks_->communicator().check();
  reserve(rows);
  clear_failure();
  leave_schedule();
  const LossWeights weights = set_loss_weights(nullptr);
  const int64_t inputs = rows * network_.inputs(), outputs = rows * network_.outputs();
  if (padded(inputs) + outputs > kSmallStepFloats) {
    enqueue_step(stage(x, y, rows), rows, weights);
    check(cudaMemcpyAsync(&seen_[0].state, state_.get(), sizeof(gpu::StepState), cudaMemcpyDeviceToHost, stream_),
          "copying the result of a step", device_.ordinal());
    return finish_step(rows);
  }
  if (staged_x_.reserve(device_, kSmallStepFloats, "the rows of a step", stream_)) forget_graphs();
  std::memcpy(small_step_.get(), x, static_cast<size_t>(inputs) * sizeof(float));
  std::memcpy(small_step_.get() + padded(inputs), y, static_cast<size_t>(outputs) * sizeof(float));
  // The second step of a size is likely not the last: from then on a graph does it in one launch.
  if (rows == previous_rows_ && !ranks_ && (!step_graph_ || step_graph_rows_ != rows)) {
    step_graph_ = Graph::record(device_.ordinal(), stream_, [&] { enqueue_small_step(rows); });
    step_graph_rows_ = rows;
  }
  previous_rows_ = rows;
  if (step_graph_ && step_graph_rows_ == rows && !ranks_) {
    step_graph_.launch(device_.ordinal(), stream_);
  } else {
    enqueue_small_step(rows);
  }
  return finish_step(rows);
}

rs_status Trainer::finish_step(int64_t rows) {
  stream_.check_launches("a step");
  if (sum_under_way_ > 0) end_sum_by_nccl();
  stream_.wait("a step");
  const gpu::StepState& state = seen_[0].state;
  last_loss_ = mean(state.last_loss, rows);
  applied_ = state.steps;
  failed_ = state.failed != 0;
  if (failed_) return RS_NON_FINITE;
  if (ranks_) ranks_stop();
  return RS_OK;
}

double Trainer::gradient(const float* x, const float* y, int64_t rows, float* gradient) {
  const DeviceScope scope(device_.ordinal());
  reserve(rows);
  const LossWeights weights = set_loss_weights(nullptr);
  gradients_.enqueue_sum(gradients_.enqueue(stage(x, y, rows), rows, parameters_.get(), weights), gradient_.get());
  stream_.check_launches("a gradient");
  std::vector<float> sums(static_cast<size_t>(network_.parameter_count) + 1);
  staging_.copy_back(sums.data(), gradient_.get(), static_cast<int64_t>(sums.size()), stream_);
  const float scale = static_cast<float>(mean(1, rows));
  for (int64_t i = 0; i < network_.parameter_count; ++i) gradient[i] = sums[static_cast<size_t>(i)] * scale;
  return mean(sums.back(), rows);
}

// ---- many steps ----

// One call of fit: enqueues windows ahead of the device, and keeps the books of those that are done.
class Trainer::Run {
 public:
  Run(Trainer& trainer, const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights)
      : trainer_(trainer), rows_(rows), data_(data), fit_(fit), weights_(weights), deadline_(fit.seconds),
        batch_(std::min(fit.batch, data.rows)), most_steps_(steps_at_once()), epoch_(fit.epoch), row_(fit.row) {
    reserve_window();
  }

  rs_status run() {
    while (true) {
      if (flights_.size() < kFlights && may_go_on()) {
        enqueue(next_window(epoch_, row_, {data_.rows, batch_, fit_.epochs, epochs_allowed()}, most_steps_));
      } else if (!flights_.empty()) {
        retire();
      } else {
        return trainer_.failed_ ? RS_NON_FINITE : RS_OK;
      }
    }
  }

 private:
  struct Flying {
    Window window;
    int slot;
  };

  // The rows of a window fit into its memory; a step larger than that reads the dataset itself.
  int64_t steps_at_once() const {
    const int64_t floats = batch_ * (data_.inputs + data_.outputs);
    return std::clamp<int64_t>(kWindowFloats / floats, 1, kMostSteps);
  }

  int64_t epochs_allowed() const {
    return fit_.losses_capacity > 0 ? fit_.losses_capacity - epochs_enqueued_ : std::numeric_limits<int64_t>::max();
  }

  bool may_go_on() const {
    return !ending_ && !trainer_.failed_ && epoch_ < fit_.epochs && epochs_allowed() > 0;
  }

  Shuffle shuffle(int64_t epoch) const {
    return fit_.shuffle ? Shuffle(fit_.seed, static_cast<uint64_t>(epoch), data_.rows) : Shuffle();
  }

  gpu::Rows rows_from(int64_t epoch, int64_t row) const {
    return {rows_.x(), rows_.y(), row, shuffle(epoch), fit_.shuffle != 0};
  }

  // The steps of one epoch's rows [0, count), which lie from `from` on. Then the epoch's loss, if they end it, goes to
  // its slot, and the next one's starts at zero.
  void enqueue_steps(gpu::Rows from, int64_t count, bool ends_epoch, int64_t slot) {
    for (int64_t done = 0; done < count; done += batch_) {
      trainer_.enqueue_step(from, std::min(batch_, count - done), weights_);
      if (fit_.average.kind == RS_EMA) trainer_.enqueue_average(fit_.average);
      from.first += batch_;
    }
    if (!ends_epoch) return;
    if (fit_.average.kind == RS_SWA) trainer_.enqueue_average(fit_.average);
    double* sum = &trainer_.state_.get()->loss_sum;
    const int device = trainer_.device_.ordinal();
    check(cudaMemcpyAsync(trainer_.epoch_loss_sums_.get() + slot, sum, sizeof *sum, cudaMemcpyDeviceToDevice, trainer_.stream_),
          "keeping an epoch's loss", device);
    check(cudaMemsetAsync(sum, 0, sizeof *sum, trainer_.stream_), "starting an epoch's loss", device);
  }

  // All steps, on rows that were gathered at a fixed place: what a graph can repeat.
  void enqueue_gathered(const WindowShape& shape, int64_t rows) {
    const gpu::Rows all = {trainer_.window_x_.get(), trainer_.window_y_.get(), 0, Shuffle(), false};
    if (shape.epochs == 0) return enqueue_steps(all, rows, false, 0);
    for (int64_t e = 0; e < shape.epochs; ++e) {
      gpu::Rows epoch = all;
      epoch.first = e * shape.epoch_rows;
      enqueue_steps(epoch, shape.epoch_rows, true, e);
    }
  }

  void gather(const Window& window) {
    const int64_t parts = std::max<int64_t>(1, window.shape.epochs), rows = window.rows / parts;
    for (int64_t e = 0; e < parts; ++e) {
      gpu::gather_rows(rows_from(window.epoch + e, window.row), rows, data_.inputs, data_.outputs,
                       trainer_.window_x_.get() + e * rows * data_.inputs,
                       trainer_.window_y_.get() + e * rows * data_.outputs, trainer_.stream_);
    }
  }

  // All memory is taken before the first step. Without memory for windows there are no graphs.
  void reserve_window() {
    Trainer& t = trainer_;
    if (most_steps_ < 2) return;
    try {
      const int64_t rows = most_steps_ * batch_;
      bool moved = t.window_x_.reserve(t.device_, rows * data_.inputs, "the rows of a fit", t.stream_);
      moved |= t.window_y_.reserve(t.device_, rows * data_.outputs, "the rows of a fit", t.stream_);
      if (moved) t.window_graph_ = Graph();
    } catch (const DeviceError& e) {
      if (e.status != RS_CUDA_OUT_OF_MEMORY) throw;
      graphs_ = false;
    }
  }

  bool averages_as_window() const {
    const rs_average &a = fit_.average, &b = trainer_.window_average_;
    return a.kind == b.kind && (a.kind != RS_EMA || a.ema_decay == b.ema_decay);
  }

  // Whether there is a graph for windows of this shape. The first such window goes without, so that all its kernels
  // are loaded before they are recorded. Where there cannot be a graph, steps are launched one by one.
  bool has_graph(const Window& window) {
    Trainer& t = trainer_;
    if (!graphs_ || !window.repeats || window.shape.steps < 2) return false;
    if (!(t.window_shape_ == window.shape) || t.window_loss_weight_ != weights_.first || !averages_as_window()) {
      t.window_graph_ = Graph();
      t.window_shape_ = window.shape;
      t.window_loss_weight_ = weights_.first;
      t.window_average_ = fit_.average;
      return false;
    }
    if (t.window_graph_) return true;
    t.window_graph_ = Graph::record(t.device_.ordinal(), t.stream_, [&] { enqueue_gathered(window.shape, window.rows); });
    graphs_ = static_cast<bool>(t.window_graph_);
    return graphs_;
  }

  void enqueue(const Window& window) {
    Trainer& t = trainer_;
    const bool ends_epoch = window.row + window.rows == data_.rows;
    if (has_graph(window)) {
      gather(window);
      t.window_graph_.launch(t.device_.ordinal(), t.stream_);
      if (window.shape.epochs == 0 && ends_epoch) enqueue_steps(rows_from(window.epoch, data_.rows), 0, true, 0);
    } else if (window.shape.epochs == 0) {
      enqueue_steps(rows_from(window.epoch, window.row), window.rows, ends_epoch, 0);
    } else {
      for (int64_t e = 0; e < window.shape.epochs; ++e) {
        enqueue_steps(rows_from(window.epoch + e, 0), data_.rows, true, e);
      }
    }
    const int64_t ended = window.shape.epochs > 0 ? window.shape.epochs : ends_epoch;
    send_back(ended);
    flights_.push_back({window, slot_});
    slot_ = (slot_ + 1) % kFlights;
    epochs_enqueued_ += ended;
    epoch_ += ended;
    row_ = ended > 0 ? 0 : window.row + window.rows;
  }

  // The state and the losses of epochs that ended, for the host to see.
  void send_back(int64_t ended) {
    Trainer& t = trainer_;
    t.stream_.check_launches("the steps of a fit");
    Seen& seen = t.seen_[slot_];
    check(cudaMemcpyAsync(&seen.state, t.state_.get(), sizeof seen.state, cudaMemcpyDeviceToHost, t.stream_),
          "copying the result of steps", t.device_.ordinal());
    if (ended > 0) {
      check(cudaMemcpyAsync(seen.epoch_loss_sums, t.epoch_loss_sums_.get(), static_cast<size_t>(ended) * sizeof(double),
                            cudaMemcpyDeviceToHost, t.stream_),
            "copying the losses of epochs", t.device_.ordinal());
    }
    t.landed_[slot_].record(t.stream_);
  }

  // Waits for the oldest window and enters its steps into the books.
  void retire() {
    const Flying flight = flights_.front();
    flights_.pop_front();
    trainer_.landed_[flight.slot].wait("the steps of a fit");
    const Seen& seen = trainer_.seen_[flight.slot];
    int64_t applied = seen.state.steps - trainer_.applied_;
    trainer_.applied_ = seen.state.steps;
    int64_t epoch = 0;
    for (int64_t i = 0; i < flight.window.shape.steps && !trainer_.failed_; ++i) {
      const int64_t rows = std::min(batch_, data_.rows - fit_.row);
      trainer_.last_loss_ = trainer_.mean(seen.state.last_loss, rows);
      if (applied-- == 0) {
        trainer_.failed_ = true;
        break;
      }
      trainer_.averaged_ += averages_step(fit_);
      fit_.steps += 1;
      fit_.row += rows;
      if (fit_.row == data_.rows) end_epoch(seen.epoch_loss_sums[epoch++]);
    }
    if (!trainer_.failed_) {
      fit_.epoch_loss_sum = fit_.row == 0 ? 0 : seen.state.loss_sum;
    }
    ending_ = ending_ || deadline_.is_past() || trainer_.wants_stop();
  }

  void end_epoch(double loss_sum) {
    if (fit_.losses) fit_.losses[fit_.losses_count] = trainer_.mean(loss_sum, data_.rows);
    trainer_.averaged_ += averages_epoch(fit_);
    fit_.losses_count += 1;
    fit_.epoch += 1;
    fit_.row = 0;
  }

  Trainer& trainer_;
  const DatasetRows& rows_;
  const rs_dataset& data_;
  rs_fit& fit_;
  const LossWeights weights_;
  const Deadline deadline_;
  const int64_t batch_;
  const int64_t most_steps_;
  int64_t epoch_, row_;            // where the next window starts
  int64_t epochs_enqueued_ = 0;    // epochs that end in windows enqueued so far
  std::deque<Flying> flights_;     // oldest first
  int slot_ = 0;
  bool ending_ = false;
  bool graphs_ = true;
};

// Does not wait for the device, which may hang: only that knows how far the optimizer has come, all from fit_steps on the host
// knows as well.
void Trainer::begin_fit(const rs_fit& fit, int64_t rows) {
  gpu::StepState state;
  state.settings = optimizer_;
  state.loss_sum = fit.epoch_loss_sum;
  state.averaged = averaged_;
  if (fit.average.kind == RS_SWA) state.average_skips = std::max<int64_t>(0, fit.average.swa_start - fit.epoch);
  state.scheduled = true;
  state.schedule = Schedule(fit, optimizer_.lr, rows);
  state.fit_steps = fit.steps;
  const auto* first = reinterpret_cast<const char*>(&state.fit_steps);
  const size_t bytes = static_cast<size_t>(reinterpret_cast<const char*>(&state + 1) - first);
  check(cudaMemcpyAsync(&state_.get()->fit_steps, first, bytes, cudaMemcpyHostToDevice, stream_), "starting a fit",
        device_.ordinal());
  failed_ = false;
  scheduled_ = true;
}

// A schedule is a fit's: other steps have the trainer's learning rate.
void Trainer::leave_schedule() {
  if (!scheduled_) return;
  check(cudaMemsetAsync(&state_.get()->scheduled, 0, sizeof(bool), stream_), "leaving a schedule", device_.ordinal());
  scheduled_ = false;
}

namespace {

[[noreturn]] void refuse(const char* what) {
  throw DeviceError(RS_INVALID_ARGUMENT, std::string("the CUDA engine does not have ") + what + "; use device cpu");
}

}  // namespace

rs_status Trainer::fit(const rs_dataset& data, rs_fit& fit) {
  if (data.weights.get()) refuse("sample weights");
  const DeviceScope scope(device_.ordinal());
  const int64_t batch = std::min(fit.batch, data.rows);
  fit.losses_count = 0;
  fit.stopped = 0;
  fit.done = fit.epoch == fit.epochs;
  if (fit.done) return RS_OK;
  if (fit.steps == 0) averaged_ = 0;
  if (fit.average.kind != RS_NO_AVERAGE) reserve_average();
  const DatasetRows& rows = DatasetRows::of(data, device_);
  reserve(batch);
  reserve(data.rows % batch == 0 ? batch : data.rows % batch);
  const LossWeights weights = set_loss_weights(fit.target_scale);
  begin_fit(fit, data.rows);
  const rs_status status = ranks_ ? fit_with_ranks(rows, data, fit, weights) : fit_alone(rows, data, fit, weights);
  if (status != RS_OK) return status;
  fit.done = fit.epoch == fit.epochs;
  fit.stopped = ranks_ ? stop_agreed_ : wants_stop();
  if (fit.done && ranks_) meet_ranks();
  return RS_OK;
}

rs_status Trainer::fit_alone(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights) {
  if (gradients_.path(std::min(fit.batch, data.rows)) == Path::kPersistent) return fit_persistent(rows, data, fit, weights);
  return Run(*this, rows, data, fit, weights).run();
}

// One launch does as many steps as there are, or as the host lets it: the kernel keeps the books.
rs_status Trainer::fit_persistent(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights) {
  const Deadline deadline(fit.seconds);
  const int64_t batch = std::min(fit.batch, data.rows), steps_per_epoch = (data.rows + batch - 1) / batch;
  model_.reserve(device_, 1, "the state of a fit", stream_);
  losses_.reserve(device_, kLaunchEpochs, "the losses of epochs", stream_);
  Event done(device_.ordinal());
  gpu::LatencyModel& model = seen_model_[0];
  gpu::StepState& state = see_state();
  const Schedule& schedule = state.schedule;
  const bool averages = fit.average.kind != RS_NO_AVERAGE;
  const gpu::LatencyRule rule = schedule.is_constant() && !averages ? rule_of(optimizer_) : gpu::LatencyRule::kAny;
  while (fit.epoch < fit.epochs) {
    int64_t epochs = std::min(fit.epochs - fit.epoch, kLaunchEpochs);
    if (fit.losses_capacity > 0) epochs = std::min(epochs, fit.losses_capacity - fit.losses_count);
    const int64_t begun = (fit.row + batch - 1) / batch;
    const int32_t steps = static_cast<int32_t>(std::min(kLaunchSteps, epochs * steps_per_epoch - begun));
    model = {};
    model.lr = static_cast<float>(schedule.rate(fit.steps));
    model.loss_weight = weights.first;
    model.seed = fit.seed;
    model.rows = data.rows;
    model.epoch = fit.epoch;
    model.row = fit.row;
    model.epoch_loss_sum = fit.epoch_loss_sum;
    model.optimizer = state;
    model.average = fit.average;
    model.averaged = averaged_;
    stop_[0] = 0;

    const int64_t epoch_before = fit.epoch;
    model_.copy_from(&model, 1);
    gradients_.fused()->latency_steps({rows.x(), rows.y(), fit.shuffle != 0, network_.inputs(), network_.layers[0].out, batch, 1,
                                       model_.get(), parameters_.get(), gradients_.length(), steps, losses_.get(), kLaunchEpochs,
                                       stop_.get(), rule, m_.get(), v_.get(), averages ? average_.get() : nullptr},
                                      stream_);
    stream_.check_launches("the steps of a fit");
    model_.copy_to(&model, 1);
    losses_.copy_to(seen_losses_.get(), kLaunchEpochs);
    done.record(stream_);
    bool stopping = false;
    const auto stop_when_due = [&] {
      if (stopping || !(deadline.is_past() || wants_stop())) return;
      stopping = true;
      *static_cast<volatile int32_t*>(stop_.get()) = 1;
    };
    done.wait("the steps of a fit", stop_when_due);

    applied_ = state.steps + model.steps;
    static_cast<gpu::OptimizerState&>(state) = model.optimizer;
    state.steps = applied_;  // plain SGD does not count
    state_.copy_from(&state, 1);
    averaged_ = model.averaged;
    fit.steps += model.steps;
    fit.epoch = model.epoch;
    fit.row = model.row;
    fit.epoch_loss_sum = model.epoch_loss_sum;
    for (int64_t e = 0; e < fit.epoch - epoch_before; ++e) {
      if (fit.losses) fit.losses[fit.losses_count] = mean(seen_losses_[e], data.rows);
      fit.losses_count += 1;
    }
    // Of the step that failed, or else of the one before the position.
    const int64_t last_row = model.failed ? fit.row : fit.row == 0 ? (steps_per_epoch - 1) * batch : fit.row - batch;
    if (model.steps > 0 || model.failed) last_loss_ = mean(model.last_loss, std::min(batch, data.rows - last_row));
    if (model.failed) return RS_NON_FINITE;
    if (deadline.is_past() || wants_stop() || (fit.losses_capacity > 0 && fit.losses_count == fit.losses_capacity)) break;
  }
  return RS_OK;
}

// ---- forward only ----

double Trainer::evaluate(const rs_dataset& data, const float* target_scale) {
  if (data.weights.get()) refuse("sample weights");
  const DeviceScope scope(device_.ordinal());
  const DatasetRows& rows = DatasetRows::of(data, device_);
  const LossWeights weights = set_loss_weights(target_scale);
  const int64_t parts = Gradient::loss_blocks(data.rows).count;
  if (gradients_.reserve_forward(data.rows)) forget_graphs();
  row_losses_.reserve(device_, parts, "the losses of rows", stream_);
  gradients_.enqueue_losses({rows.x(), rows.y(), 0, Shuffle(), false}, data.rows, parameters_.get(), weights,
                            row_losses_.get());
  stream_.check_launches("evaluating");
  std::vector<float> sums(static_cast<size_t>(parts));
  staging_.copy_back(sums.data(), row_losses_.get(), parts, stream_);
  return mean(std::accumulate(sums.begin(), sums.end(), 0.0), data.rows);
}

void Trainer::predict(const float* x, int64_t rows, float* y) {
  if (rows == 0) return;
  const DeviceScope scope(device_.ordinal());
  const int64_t inputs = network_.inputs(), outputs = network_.outputs();
  const int64_t step = std::min(rows, std::max<int64_t>(1, kPredictFloats / (inputs + outputs)));
  if (gradients_.reserve_forward(step)) forget_graphs();
  if (staged_x_.reserve(device_, step * inputs, "the rows to predict", stream_)) forget_graphs();
  staged_y_.reserve(device_, step * outputs, "the predictions", stream_);
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    staging_.copy(staged_x_.get(), x + first * inputs, count * inputs, stream_);
    gradients_.enqueue_predictions(staged_x_.get(), count, parameters_.get(), staged_y_.get());
    stream_.check_launches("predicting");
    staging_.copy_back(y + first * outputs, staged_y_.get(), count * outputs, stream_);
  }
}

}  // namespace rs::cuda
