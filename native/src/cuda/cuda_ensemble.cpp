#include "cuda/cuda_ensemble.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "cuda/cuda_trainer.h"
#include "cuda/error.h"
#include "device_error.h"
#include "initialize.h"
#include "schedule.h"

namespace rs::cuda {
namespace {

// Of one launch, as the host's stop is heard within microseconds.
constexpr int32_t kLaunchSteps = 1 << 20;
// Losses of epochs that one launch has room for, of all models together, and epochs of each.
constexpr int64_t kLaunchLosses = 1 << 20, kLaunchEpochs = 4096;
// Values that predictions and losses of rows take on the device at once.
constexpr int64_t kForwardFloats = 1 << 22;
// Of the host, which are the CPU engine's; networks that have fused kernels are small.
constexpr int kMeanThreads = 1;

[[noreturn]] void refuse(const std::string& what) {
  throw DeviceError(RS_INVALID_ARGUMENT, "ensembles on a GPU do not have " + what + "; use device cpu");
}

const rs_ensemble_options& checked(const Network& network, const rs_ensemble_options& options) {
  if (options.model.precision != RS_FLOAT32) refuse("TF32");
  if (!is_persistent(options.model.optimizer)) refuse("Adam without an epsilon");
  const gpu::FusedNetwork* fused = fused_network_of(network);
  if (!fused) refuse("kernels for this network, only for small ones of one hidden layer and one output");
  return options;
}

int64_t epochs_per_launch(int32_t models) { return std::clamp<int64_t>(kLaunchLosses / models, 1, kLaunchEpochs); }

// That does for all the models' optimizers.
gpu::LatencyRule rule_for(const rs_ensemble_options& options) {
  gpu::LatencyRule rule = gpu::LatencyRule::kPlain;
  for (int32_t k = 0; k < options.models; ++k) rule = std::max(rule, rule_of(optimizer_of(options, k)));
  return rule;
}

// Calls copy(first, count) for every run of models side by side whose which[k] is not 0.
template <typename F>
void for_runs(const int32_t* which, int32_t models, F copy) {
  for (int32_t k = 0; k < models; ++k) {
    if (!which[k]) continue;
    const int32_t first = k;
    while (k + 1 < models && which[k + 1]) ++k;
    copy(first, k + 1 - first);
  }
}

float weight_of(const float* target_scale) { return target_scale ? target_scale[0] * target_scale[0] : 1.0f; }

}  // namespace

struct Ensemble::Fitting : EnsembleFit {
  const DatasetRows& rows_on_device;

  // The kernels of batches of 1, of up to 128 and of up to 1024 rows add in different orders: what a model's own batch
  // has counts, which may be all of its rows.
  Form form(int32_t model) const {
    const int64_t own = batch(model);
    const int64_t most = own == 1 ? 1 : own <= gpu::kLatencySmallBatch ? gpu::kLatencySmallBatch : gpu::kMostLatencyBatch;
    return {fits[model].shuffle != 0, std::min(fits[model].batch, most)};
  }
};

Ensemble::Ensemble(Network network, const rs_ensemble_options& options, Device& device)
    : ExchangingEnsemble(std::move(network), Settings(), checked(network, options).models),
      device_(device),
      stream_(device.ordinal()),
      gradients_(device, network_, true, RS_FLOAT32, stream_),
      state_(static_cast<size_t>(models_)),
      rule_(rule_for(options)),
      parameters_(device, models_ * gradients_.length(), "the parameters", stream_),
      models_on_device_(device, models_, "the models of an ensemble", stream_),
      losses_(device, models_ * epochs_per_launch(models_), "the losses of epochs", stream_),
      loss_weights_(device, models_, "the weights of the loss", stream_),
      staging_(device.ordinal()),
      seen_(device.ordinal(), models_, "pinned memory for models"),
      seen_losses_(device.ordinal(), models_ * epochs_per_launch(models_), "pinned memory for results"),
      stop_(device.ordinal(), 1, "pinned memory for a flag"),
      done_(device.ordinal()),
      exchanges_(*this, kMeanThreads) {
  for (int32_t k = 0; k < models_; ++k) {
    Model& model = state_[static_cast<size_t>(k)];
    model.optimizer = gpu::fresh_state(optimizer_of(options, k));
    model.last_loss = std::numeric_limits<double>::quiet_NaN();
  }
  if (rule_ != gpu::LatencyRule::kPlain) m_ = {device_, parameters_.count(), "the optimizers' state", stream_};
  if (options.model.optimizer.kind != RS_SGD) v_ = {device_, parameters_.count(), "the optimizers' state", stream_};
  parameters_.clear();
  stream_.wait("creating an ensemble");
}

// Work in flight, after an error, still uses the memory; a device that hangs is left alone.
Ensemble::~Ensemble() {
  if (is_lost(device_.ordinal())) return;
  try {
    stream_.wait("closing an ensemble");
  } catch (const std::exception&) {
  }
}

// ---- parameters ----

// A model with new parameters starts anew.
void Ensemble::reset(int32_t k) {
  Model& model = state_[static_cast<size_t>(k)];
  model.optimizer = gpu::fresh_state(model.optimizer.settings);
  model.steps = model.failed = 0;
}

void Ensemble::initialize(const uint64_t* seeds) {
  const DeviceScope scope(device_.ordinal());
  const int64_t length = gradients_.length();
  std::vector<float> all(static_cast<size_t>(models_ * length));
  for (int32_t k = 0; k < models_; ++k) {
    rs::initialize(network_, seeds[k], all.data() + k * length);
    reset(k);
  }
  staging_.copy(parameters_.get(), all.data(), models_ * length, stream_);
  stream_.wait("setting the parameters");
}

void Ensemble::get_parameters(int32_t model, float* parameters) {
  const DeviceScope scope(device_.ordinal());
  staging_.copy_back(parameters, parameters_of(model), network_.parameter_count, stream_);
}

void Ensemble::set_parameters(int32_t model, const float* parameters) {
  const DeviceScope scope(device_.ordinal());
  staging_.copy(parameters_of(model), parameters, network_.parameter_count, stream_);
  stream_.wait("setting the parameters");
  reset(model);
}

void Ensemble::set_learning_rates(const double* lr) {
  for (int32_t k = 0; k < models_; ++k) state_[static_cast<size_t>(k)].optimizer.settings.lr = lr[k];
}

bool Ensemble::one_optimizer() const {
  return std::all_of(state_.begin(), state_.end(), [&](const Model& model) {
    return same(model.optimizer.settings, state_[0].optimizer.settings);
  });
}

void Ensemble::losses(double* losses) {
  for (int32_t k = 0; k < models_; ++k) losses[k] = state_[static_cast<size_t>(k)].last_loss;
}

void Ensemble::failures(int64_t* steps) {
  for (int32_t k = 0; k < models_; ++k) steps[k] = state_[static_cast<size_t>(k)].failed;
}

// ---- steps ----

// Of the models in seen_, which are there again afterwards. Past the deadline they stop where they are.
void Ensemble::run_kernel(gpu::LatencySteps task, gpu::LatencyRule rule, const Deadline& deadline) {
  task.rule = rule;
  task.m = m_.get();
  task.v = v_.get();
  stop_[0] = 0;
  models_on_device_.copy_from(seen_.get(), models_);
  gradients_.fused()->latency_steps(task, stream_);
  stream_.check_launches("the steps of an ensemble");
  models_on_device_.copy_to(seen_.get(), models_);
  if (task.losses) losses_.copy_to(seen_losses_.get(), models_ * task.losses_capacity);
  done_.record(stream_);
  done_.wait("the steps of an ensemble", [&] {
    if (deadline.is_past()) *static_cast<volatile int32_t*>(stop_.get()) = 1;
  });
}

void Ensemble::step(const float* x, const float* y, int64_t rows) {
  if (rows > gpu::kMostLatencyBatch) refuse("steps of more than " + std::to_string(gpu::kMostLatencyBatch) + " rows");
  const DeviceScope scope(device_.ordinal());
  staged_x_.reserve(device_, rows * network_.inputs(), "the rows of a step", stream_);
  staged_y_.reserve(device_, rows * network_.outputs(), "the rows of a step", stream_);
  staging_.copy(staged_x_.get(), x, rows * network_.inputs(), stream_);
  staging_.copy(staged_y_.get(), y, rows * network_.outputs(), stream_);
  for (int32_t k = 0; k < models_; ++k) {
    const Model& model = state_[static_cast<size_t>(k)];
    gpu::LatencyModel& m = seen_[k] = {};
    m.lr = static_cast<float>(model.optimizer.settings.lr);
    m.loss_weight = 1;
    m.rows = rows;
    m.optimizer = model.optimizer;
    m.failed = model.failed != 0;
  }
  run_kernel({staged_x_.get(), staged_y_.get(), false, network_.inputs(), network_.layers[0].out, rows, models_,
              models_on_device_.get(), parameters_.get(), gradients_.length(), 1, nullptr, 0, nullptr},
             rule_, Deadline(0));
  for (int32_t k = 0; k < models_; ++k) {
    Model& model = state_[static_cast<size_t>(k)];
    if (model.failed) continue;
    static_cast<gpu::Progress&>(model.optimizer) = seen_[k].optimizer;
    model.last_loss = seen_[k].last_loss / static_cast<double>(rows);
    if (seen_[k].failed) {
      model.failed = model.steps + 1;
    } else {
      ++model.steps;
    }
  }
}

// ---- fit ----

bool Ensemble::is_due(const Fitting& fitting, int32_t model) const {
  return rs::is_due(state_[static_cast<size_t>(model)], fitting.fits[model]);
}

// A trainer, which models that exchange gradients are, takes batches of any size.
void Ensemble::require_plain(const EnsembleFit& fitting) const {
  if (fitting.data.weights.get()) refuse("sample weights");
  const bool as_one = fitting.run.exchange == RS_EXCHANGE_GRADIENT;
  for (int32_t k = 0; k < models_; ++k) {
    if (!as_one && fitting.batch(k) > gpu::kMostLatencyBatch) {
      refuse("batches of more than " + std::to_string(gpu::kMostLatencyBatch) + " rows");
    }
  }
}

bool Ensemble::train(const EnsembleFit& fit) {
  const Fitting fitting = {fit, DatasetRows::of(fit.data, device_)};
  while (true) {
    std::vector<Form> forms;
    for (int32_t k = 0; k < models_; ++k) {
      if (!is_due(fitting, k)) continue;
      const Form form = fitting.form(k);
      if (std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(form);
    }
    if (forms.empty()) return true;
    for (const Form& form : forms) {
      launch(fitting, form);
      // Whatever the time, a call gets on.
      if (fitting.deadline.is_past()) break;
    }
    if (fitting.deadline.is_past()) return !any_due(state_, fitting.fits);
  }
}

void Ensemble::launch(const Fitting& fitting, Form form) {
  const int64_t epochs = epochs_per_launch(models_);
  int64_t steps = 0;
  gpu::LatencyRule rule = rule_;
  bool averages = false;
  for (int32_t k = 0; k < models_; ++k) {
    const bool takes_part = is_due(fitting, k) && fitting.form(k) == form;
    const int64_t own = prepare(fitting, k, epochs);
    seen_[k].most_steps = takes_part ? own : 0;
    if (takes_part && seen_[k].average.kind != RS_NO_AVERAGE) averages = true;
    if (averages || (takes_part && !seen_[k].optimizer.schedule.is_constant())) rule = gpu::LatencyRule::kAny;
    steps = std::max(steps, seen_[k].most_steps);
  }
  const DatasetRows& rows = fitting.rows_on_device;
  gpu::LatencySteps task = {rows.x(), rows.y(), form.shuffled, network_.inputs(), network_.layers[0].out, form.batch, models_,
                            models_on_device_.get(), parameters_.get(), gradients_.length(), static_cast<int32_t>(steps),
                            losses_.get(), epochs, stop_.get()};
  if (averages) task.average = average_.get();  // else it would take shared memory for nothing
  run_kernel(task, rule, fitting.deadline);
  for (int32_t k = 0; k < models_; ++k) {
    if (seen_[k].most_steps > 0) enter(fitting, k, epochs);
  }
}

// Tells the kernel where a model stands. Returns how many steps it may take in a launch with room for the losses of
// so many epochs.
int64_t Ensemble::prepare(const Fitting& fitting, int32_t k, int64_t epochs) {
  const rs_fit& fit = fitting.fits[k];
  const Model& model = state_[static_cast<size_t>(k)];
  gpu::LatencyModel& m = seen_[k] = {};
  m.optimizer = model.optimizer;
  m.optimizer.scheduled = true;
  m.optimizer.schedule = Schedule(fit, model.optimizer.settings.lr, fitting.rows(k));
  m.optimizer.fit_steps = fit.steps;
  m.lr = static_cast<float>(m.optimizer.schedule.rate(fit.steps));
  m.loss_weight = weight_of(fit.target_scale);
  m.seed = fit.seed;
  m.first = fitting.first_row(k);
  m.rows = fitting.rows(k);
  m.epoch = fit.epoch;
  m.row = fit.row;
  m.epoch_loss_sum = fit.epoch_loss_sum;
  m.average = fit.average;
  m.averaged = model.averaged;
  m.failed = model.failed != 0;
  const int64_t batch = fitting.batch(k), steps_per_epoch = (m.rows + batch - 1) / batch;
  const int64_t begun = (fit.row + batch - 1) / batch;
  // No product that could overflow: more steps than a launch takes are as good as any number.
  int64_t whole = std::min(fit.epochs - fit.epoch, epochs);
  if (fit.losses_capacity > 0) whole = std::min(whole, fit.losses_capacity - fit.losses_count);
  const int64_t enough = kLaunchSteps / steps_per_epoch + 2;
  int64_t most = std::min<int64_t>(kLaunchSteps, std::min(whole, enough) * steps_per_epoch - begun);
  if (fit.step_limit > 0) most = std::min(most, fit.step_limit - fit.steps);
  return most;
}

// Enters what the kernel did with a model into the books.
void Ensemble::enter(const Fitting& fitting, int32_t k, int64_t epochs) {
  rs_fit& fit = fitting.fits[k];
  Model& model = state_[static_cast<size_t>(k)];
  const gpu::LatencyModel& m = seen_[k];
  const int64_t rows = fitting.rows(k), batch = fitting.batch(k);
  static_cast<gpu::Progress&>(model.optimizer) = m.optimizer;
  model.averaged = m.averaged;
  for (int64_t e = fit.epoch; e < m.epoch; ++e) {
    if (fit.losses) fit.losses[e] = seen_losses_[k * epochs + e - fit.epoch] / static_cast<double>(rows);
    fit.losses_count += 1;
  }
  fit.steps += m.steps;
  fit.epoch = m.epoch;
  fit.row = m.row;
  fit.epoch_loss_sum = m.epoch_loss_sum;
  // Of the step that failed, or else of the one before the position.
  const int64_t last_row = m.failed ? fit.row : fit.row == 0 ? (rows - 1) / batch * batch : fit.row - batch;
  if (m.steps > 0 || m.failed) model.last_loss = m.last_loss / static_cast<double>(std::min(batch, rows - last_row));
  if (m.failed) model.failed = -1;
}

void Ensemble::fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) {
  const DeviceScope scope(device_.ordinal());
  const Deadline deadline(run.seconds);
  const EnsembleFit fitting = {data, fits, run, deadline};
  require_plain(fitting);
  for (int32_t k = 0; k < models_; ++k) {
    Model& model = state_[static_cast<size_t>(k)];
    if (fits[k].steps == 0) model.kept = false, model.averaged = 0;
    if (fits[k].average.kind != RS_NO_AVERAGE) {
      average_.reserve(device_, parameters_.count(), "the averages of the parameters", stream_);
    }
  }
  exchanges_.fit(fitting);
}

// ---- exchanges ----

void Ensemble::set_communicator(collective::Communicator* communicator) {
  const DeviceScope scope(device_.ordinal());
  exchanges_.set_communicator(communicator);
}

// Models that exchange keep averages alike.
void Ensemble::read_models(const std::vector<int32_t>& models, Weights weights, const Reader& read) {
  if (models.empty()) return;
  const DeviceScope scope(device_.ordinal());
  const int64_t length = gradients_.length(), first = models.front();
  std::vector<float> all(static_cast<size_t>((models.back() + 1 - first) * length));
  staging_.copy_back(all.data(), weights_of(first, weights), static_cast<int64_t>(all.size()), stream_);
  for (size_t i = 0; i < models.size(); ++i) read(static_cast<int64_t>(i), all.data() + (models[i] - first) * length);
}

void Ensemble::change_models(const int32_t* which, const float* parameters, OptimizerState state) {
  const DeviceScope scope(device_.ordinal());
  for_runs(which, models_, [&](int64_t first, int64_t count) {
    staging_.copy(parameters_of(first), parameters, network_.parameter_count, stream_);
    spread(parameters_of(first), count);
  });
  for (int32_t k = 0; k < models_ && state == OptimizerState::kBeginsAnew; ++k) {
    gpu::OptimizerState& own = state_[static_cast<size_t>(k)].optimizer;
    if (which[k]) own = gpu::fresh_state(own.settings);
  }
  stream_.wait("setting the parameters");
}

// What the first of `count` models side by side has goes to the others, to twice as many with each copy.
void Ensemble::spread(float* models, int64_t count) {
  const int64_t length = gradients_.length();
  for (int64_t done = 1; done < count; done *= 2) {
    const int64_t floats = std::min(done, count - done) * length;
    check(cudaMemcpyAsync(models + done * length, models, static_cast<size_t>(floats) * sizeof(float), cudaMemcpyDeviceToDevice, stream_),
          "copying a model", device_.ordinal());
  }
}

double Ensemble::loss_of(const float* parameters, const rs_dataset& data, const float* target_scale) {
  const DeviceScope scope(device_.ordinal());
  trainer().set_parameters(parameters);
  return trainer().evaluate(data, target_scale);
}

void Ensemble::as_one(const std::function<void(rs_trainer&)>& use) {
  const DeviceScope scope(device_.ordinal());
  copy_to_trainer();
  use(trainer());
  copy_from_trainer();
}

Trainer& Ensemble::trainer() {
  if (!trainer_) {
    rs_trainer_options options = {};
    options.optimizer = state_[0].optimizer.settings;
    options.precision = RS_FLOAT32;
    trainer_ = std::make_unique<Trainer>(network_, options, device_);
  }
  return *trainer_;
}

// By way of the host, as it is little. Moments are of no optimizer that has not taken a step.
void Ensemble::copy_to_trainer() {
  const gpu::OptimizerState& first = state_[0].optimizer;
  const int64_t count = network_.parameter_count;
  std::vector<float> parameters(static_cast<size_t>(count)), moments(static_cast<size_t>(trainer().state_count()));
  get_parameters(0, parameters.data());
  if (!moments.empty() && first.steps > 0) {
    staging_.copy_back(moments.data(), m_.get(), count, stream_);
    if (v_.get()) staging_.copy_back(moments.data() + count, v_.get(), count, stream_);
  }
  trainer().set_learning_rate(first.settings.lr);
  trainer().set_parameters(parameters.data());
  trainer().set_state(moments.data(), {first.steps, first.beta1_power, first.beta2_power});
  if (state_[0].averaged == 0) return;
  staging_.copy_back(parameters.data(), average_.get(), count, stream_);
  trainer().set_average(parameters.data(), state_[0].averaged);
}

void Ensemble::copy_from_trainer() {
  const int64_t count = network_.parameter_count;
  std::vector<float> parameters(static_cast<size_t>(count)), moments(static_cast<size_t>(trainer().state_count()));
  rs_optimizer_state state;
  trainer().get_parameters(parameters.data());
  trainer().get_state(moments.data(), state);
  const auto give_all = [&](float* models, const float* values) {
    staging_.copy(models, values, count, stream_);
    spread(models, models_);
  };
  give_all(parameters_.get(), parameters.data());
  if (!moments.empty()) give_all(m_.get(), moments.data());
  if (v_.get()) give_all(v_.get(), moments.data() + count);
  if (trainer().averaged() > 0) {
    trainer().get_average(parameters.data());
    give_all(average_.get(), parameters.data());
  }
  stream_.wait("copying a model");
  for (Model& model : state_) {
    model.averaged = trainer().averaged();
    static_cast<gpu::Progress&>(model.optimizer) = {state.beta1_power, state.beta2_power, state.steps, 0};
    model.last_loss = trainer().last_loss();
  }
}

// ---- forward only ----

void Ensemble::evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, double* losses) {
  std::vector<int32_t> all(static_cast<size_t>(models_));
  std::iota(all.begin(), all.end(), 0);
  evaluate_some(data, first_rows, row_counts, target_scales, all, Weights::kParameters, losses);
}

const float* Ensemble::weights_of(int64_t model, Weights weights) const {
  const bool average = weights == Weights::kAverage && state_[static_cast<size_t>(model)].averaged > 0;
  return (average ? average_.get() : parameters_.get()) + model * gradients_.length();
}

void Ensemble::evaluate_some(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                             const float* target_scales, const std::vector<int32_t>& models, Weights use, double* losses) {
  if (data.weights.get()) refuse("sample weights");
  const DeviceScope scope(device_.ordinal());
  const DatasetRows& rows = DatasetRows::of(data, device_);
  std::vector<float> weights(static_cast<size_t>(models_));
  for (int32_t k = 0; k < models_; ++k) weights[static_cast<size_t>(k)] = weight_of(target_scales ? target_scales + k : nullptr);
  staging_.copy(loss_weights_.get(), weights.data(), models_, stream_);

  const auto count = [&](int32_t k) { return row_counts ? row_counts[k] : data.rows; };
  const int64_t most_rows = row_counts ? *std::max_element(row_counts, row_counts + models_) : data.rows;
  if (most_rows == 0) return std::fill(losses, losses + models_, std::numeric_limits<double>::quiet_NaN());
  const int64_t most_parts = Gradient::loss_blocks(most_rows).count;
  const size_t at_once = static_cast<size_t>(std::clamp<int64_t>(kForwardFloats / most_parts, 1, models_));
  gradients_.reserve_forward(most_rows);
  row_losses_.reserve(device_, static_cast<int64_t>(at_once) * most_parts, "the losses of rows", stream_);
  std::vector<float> parts(at_once * static_cast<size_t>(most_parts));
  for (size_t first = 0; first < models.size(); first += at_once) {
    const int64_t some = static_cast<int64_t>(std::min(at_once, models.size() - first));
    for (int64_t i = 0; i < some; ++i) {
      const int32_t k = models[first + static_cast<size_t>(i)];
      gradients_.enqueue_losses({rows.x(), rows.y(), first_rows ? first_rows[k] : 0, Shuffle(), false}, count(k),
                                weights_of(k, use),
                                {loss_weights_.get() + k, weights[static_cast<size_t>(k)]}, row_losses_.get() + i * most_parts);
    }
    stream_.check_launches("evaluating");
    staging_.copy_back(parts.data(), row_losses_.get(), some * most_parts, stream_);
    for (int64_t i = 0; i < some; ++i) {
      const int32_t k = models[first + static_cast<size_t>(i)];
      const float* own = parts.data() + i * most_parts;
      losses[k] = std::accumulate(own, own + Gradient::loss_blocks(count(k)).count, 0.0) / static_cast<double>(count(k));
    }
  }
}

void Ensemble::predict(const float* x, int64_t rows, float* y) {
  if (rows == 0) return;
  const DeviceScope scope(device_.ordinal());
  const int64_t inputs = network_.inputs(), outputs = network_.outputs();
  const int64_t most = std::min(rows, std::max<int64_t>(1, kForwardFloats / inputs));
  gradients_.reserve_forward(most);
  staged_x_.reserve(device_, most * inputs, "the rows to predict", stream_);
  staged_y_.reserve(device_, most * outputs, "the predictions", stream_);
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t count = std::min(most, rows - first);
    staging_.copy(staged_x_.get(), x + first * inputs, count * inputs, stream_);
    for (int64_t k = 0; k < models_; ++k) {
      gradients_.enqueue_predictions(staged_x_.get(), count, parameters_of(k), staged_y_.get());
      stream_.check_launches("predicting");
      staging_.copy_back(y + (k * rows + first) * outputs, staged_y_.get(), count * outputs, stream_);
    }
  }
}

// ---- between two epochs ----

void Ensemble::validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, const int32_t* which, double* losses) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.validate(data, target_scales, which, losses);
  std::vector<int32_t> some;
  for (int32_t k = 0; k < models_; ++k) {
    if (which[k]) some.push_back(k);
  }
  if (!some.empty()) evaluate_some(data, first_rows, row_counts, target_scales, some, Weights::kAverage, losses);
}

void Ensemble::copy_some(const int32_t* which, float* to, const float* from) {
  const int64_t length = gradients_.length();
  for_runs(which, models_, [&](int64_t first, int64_t count) {
    check(cudaMemcpyAsync(to + first * length, from + first * length, static_cast<size_t>(count * length) * sizeof(float),
                          cudaMemcpyDeviceToDevice, stream_),
          "keeping parameters", device_.ordinal());
  });
}

// Of models that keep an average that, of others the parameters.
void Ensemble::copy_learned(const int32_t* which, float* to) {
  std::vector<int32_t> plain(which, which + models_), averaged(static_cast<size_t>(models_));
  for (size_t k = 0; k < plain.size(); ++k) {
    if (state_[k].averaged > 0) std::swap(plain[k], averaged[k]);
  }
  copy_some(plain.data(), to, parameters_.get());
  copy_some(averaged.data(), to, average_.get());
}

void Ensemble::keep(const int32_t* which) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.keep(which);
  const DeviceScope scope(device_.ordinal());
  kept_.reserve(device_, parameters_.count(), "the best parameters", stream_);
  copy_learned(which, kept_.get());
  for (int32_t k = 0; k < models_; ++k) {
    if (which[k]) state_[static_cast<size_t>(k)].kept = true;
  }
}

// A model takes what it kept, and begins anew, or else its average, if any.
void Ensemble::take(const int32_t* which) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.take(which);
  const DeviceScope scope(device_.ordinal());
  std::vector<int32_t> kept(static_cast<size_t>(models_)), averaged = kept;
  for (size_t k = 0; k < kept.size(); ++k) {
    Model& model = state_[k];
    if (!which[k]) continue;
    kept[k] = model.kept;
    averaged[k] = !model.kept && model.averaged > 0;
    if (model.kept) model.optimizer = gpu::fresh_state(model.optimizer.settings);
    model.kept = false;
  }
  copy_some(kept.data(), parameters_.get(), kept_.get());
  copy_some(averaged.data(), parameters_.get(), average_.get());
}

}  // namespace rs::cuda
