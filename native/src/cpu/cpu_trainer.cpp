#include "cpu/cpu_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

#include "cpu/evaluation.h"
#include "initialize.h"
#include "pause.h"
#include "philox.h"
#include "prefetch.h"
#include "shuffle.h"
#include "thread_pool.h"

namespace rs::cpu {
namespace {

// Work too small for a second thread: parameters of one update.
constexpr int64_t kUpdateShare = 1 << 16;

// And multiply-adds of one pass over rows: about 4 us, where a helper takes half of one to come and to hand over.
constexpr int64_t kPassShare = 1 << 17;

// Predictions of fewer rows are quicker one by one, where a network's weights can be packed.
constexpr int64_t kPackedPredictRows = 16;

// Ranks that need nothing of each other meet after so much work, in rows x parameters: some milliseconds.
constexpr int64_t kMeetingWork = int64_t{1} << 25;

std::unique_ptr<Collapsed> collapse(const Network& network, const Settings& settings) {
  return settings.collapse && network.layers.size() > 1 ? std::make_unique<Collapsed>(network) : nullptr;
}

bool at_limit(const rs_fit& fit) { return fit.step_limit > 0 && fit.steps >= fit.step_limit; }

}  // namespace

Trainer::Trainer(Network network, const Settings& settings, const rs_optimizer& optimizer, int threads)
    : rs_trainer(std::move(network), settings),
      kernels_(kernels()),
      small_(kernels_.small_network(view())),
      collapsed_(collapse(network_, settings)),
      row_path_batch_(small_ && settings.dropout == 0 && !collapsed_ ? kPackedRowPathBatch : kRowPathBatch),
      threads_(threads > 0 ? threads : processor_count()),
      length_(gradient_length(network_.parameter_count)),
      batch_parameters_(batch_view().parameter_count),
      batch_length_(gradient_length(batch_parameters_)),
      optimizer_(optimizer, length_),
      parameters_(view(), small_),
      unit_weights_(static_cast<size_t>(network_.outputs()), 1.0f),
      last_loss_(std::numeric_limits<double>::quiet_NaN()) {}

NetworkView Trainer::view() const {
  return {network_.layers.data(), static_cast<int32_t>(network_.layers.size()), network_.activation,
          network_.parameter_count, network_.widest, settings_.dropout > 0};
}

// Of the network that batches go through.
NetworkView Trainer::batch_view() const {
  if (!collapsed_) return view();
  const Network& map = collapsed_->map();
  return {map.layers.data(), 1, RS_IDENTITY, map.parameter_count, map.widest};
}

// The same pass through the network that batches go through.
Pass Trainer::batch_pass(const Pass& p) {
  if (!collapsed_) return p;
  Pass folded = p;
  folded.network = batch_view();
  folded.parameters = batch_parameters(p.parameters);
  return folded;
}

Pass Trainer::pass(const float* loss_weights, const float* sample_weights) const {
  return {view(), parameters_.flat(), loss_weights, settings_.loss, sample_weights};
}

std::vector<float> Trainer::loss_weights(const float* target_scale) const {
  std::vector<float> weights(unit_weights_.size());
  set_loss_weights(settings_, network_.outputs(), target_scale, weights.data());
  return weights;
}

double Trainer::mean(double sum, double weight) const { return mean_loss(sum, weight, target_width()); }

// What the rows weigh whose gradient was summed last.
double Trainer::weight_of(int64_t rows, const float* sample_weights) const {
  return sample_weights ? scratch_.gradient.get()[network_.parameter_count + 1] : static_cast<double>(rows);
}

void Trainer::initialize(uint64_t seed) {
  rs::initialize(network_, seed, parameters_.change_flat());
  optimizer_.reset();
}

void Trainer::get_parameters(float* parameters) const {
  std::memcpy(parameters, parameters_.flat(), static_cast<size_t>(network_.parameter_count) * sizeof(float));
}

void Trainer::set_parameters(const float* parameters) {
  std::memcpy(parameters_.change_flat(), parameters, static_cast<size_t>(network_.parameter_count) * sizeof(float));
  optimizer_.reset();
}

void Trainer::prefetch() const {
  const char* const from = reinterpret_cast<const char*>(&optimizer_);
  rs::prefetch(from, reinterpret_cast<const char*>(&averaged_ + 1) - from);
}

void Trainer::prefetch_parameters() const { parameters_.prefetch(); }

void Trainer::get_state(float* moments, rs_optimizer_state& state) const {
  optimizer_.get_state(network_.parameter_count, moments, state);
}

void Trainer::set_state(const float* moments, const rs_optimizer_state& state) {
  optimizer_.set_state(network_.parameter_count, moments, state);
}

void Trainer::copy_state(Trainer& other) {
  const size_t bytes = static_cast<size_t>(length_) * sizeof(float);
  std::memcpy(parameters_.change_flat(), other.parameters_.flat(), bytes);
  if (optimizer_.m()) std::memcpy(optimizer_.m(), other.optimizer_.m(), bytes);
  if (optimizer_.v()) std::memcpy(optimizer_.v(), other.optimizer_.v(), bytes);
  optimizer_.set_progress(other.optimizer_.progress());
  last_loss_ = other.last_loss_;
  averaged_ = other.averaged_;
  if (averaged_ > 0) {
    average_.reserve(length_);
    std::memcpy(average_.get(), other.average_.get(), bytes);
  }
}

// ---- one step ----

bool Trainer::takes_small_steps(int64_t rows) const {
  return rows == 1 && small_ && optimizer_.is_plain_sgd() && !settings_.beyond_plain();
}

const char* Trainer::path(int64_t batch) const {
  return takes_small_steps(batch) ? "small-network" : batch < row_path_batch_ ? "row" : collapsed_ ? "collapsed" : "batch";
}

// Takes all memory that a step on `rows` rows needs.
void Trainer::prepare(int64_t rows) {
  const int64_t workspace = std::max(kernels_.workspace_length(view()), kernels_.workspace_length(batch_view()));
  scratch_.gradient.reserve(std::max(length_, batch_length_));
  scratch_.workspaces[0].reserve(workspace);
  if (rows < row_path_batch_) return;
  const Blocks blocks(rows, batch_parameters_);
  if (blocks.count == 1) return;
  scratch_.block_gradients.reserve(blocks.count * batch_length_);
  const size_t workers = static_cast<size_t>(std::min<int64_t>(threads_, blocks.count));
  if (scratch_.workspaces.size() < workers) scratch_.workspaces.resize(workers);
  for (AlignedBuffer& own : scratch_.workspaces) own.reserve(workspace);
}

// Of the next step, whose batch begins at `first`.
Dropout Trainer::next_dropout(int64_t first) const {
  const auto key =
      philox(settings_.dropout_seed, kDropoutStream, static_cast<uint64_t>(optimizer_.steps()));
  const double p = settings_.dropout;
  return {uint64_t{key[1]} << 32 | key[0], static_cast<uint32_t>(p * 0x1p32), static_cast<float>(1 / (1 - p)), first};
}

// scratch_.gradient = the sum over the rows, then the sums of the loss and of the samples' weights.
void Trainer::sum_gradient(const Pass& p, const Rows& rows, int64_t count) {
  if (count < row_path_batch_) {
    work_alone_ += count * network_.parameter_count;
    return sum_row_gradients(p, rows, count);
  }
  sum_batch(batch_pass(p), rows, count);
  if (collapsed_) collapsed_->expand(p.parameters, scratch_.gradient.get());
}

// The same through the network that batches go through, by its parameters.
void Trainer::sum_batch(const Pass& p, const Rows& rows, int64_t count) {
  const Blocks blocks(count, batch_parameters_);
  if (ranks_ && blocks.count > 1) return add_ranks(p, rows, blocks);
  work_alone_ += count * batch_parameters_;
  if (blocks.count == 1) {
    kernels_.block_gradient(p, rows, count, workspace(0), scratch_.gradient.get());
    return;
  }
  block_gradients(p, rows, blocks, 0, blocks.count);
  add_blocks(blocks);
}

// Rows one by one, with the parameters packed where that can be: the bits are the same.
void Trainer::sum_row_gradients(const Pass& p, const Rows& rows, int64_t count) {
  if (small_ && !p.dropout) {
    small_->gradient(p, parameters_.packed(), rows, count, scratch_.gradient.get());
  } else {
    kernels_.row_gradient(p, rows, count, workspace(0), scratch_.gradient.get());
  }
}

// Blocks that are worth a task of their own.
int64_t Trainer::blocks_a_task(const Blocks& blocks) const {
  return std::max<int64_t>(1, kPassShare / (blocks.rows * batch_parameters_));
}

// The gradients of blocks [begin, end), the first of them first in scratch_.block_gradients.
void Trainer::block_gradients(const Pass& p, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end) {
  const int64_t share = blocks_a_task(blocks);
  ThreadPool::instance().run((end - begin + share - 1) / share, threads_, [&](int64_t task, int worker) {
    const int64_t first = begin + task * share, last = std::min(end, first + share);
    for (int64_t block = first; block < last; ++block) {
      const Rows own = {rows.x, rows.y, rows.first + blocks.first(block), rows.shuffle};
      float* gradient = scratch_.block_gradients.get() + (block - begin) * batch_length_;
      kernels_.block_gradient(p, own, blocks.size(block), workspace(worker), gradient);
    }
  });
}

void Trainer::add_blocks(const Blocks& blocks) {
  const int64_t share = std::max<int64_t>(16, kUpdateShare / blocks.count / 16 * 16);
  ThreadPool::instance().run((batch_length_ + share - 1) / share, threads_, [&](int64_t i, int) {
    kernels_.add_blocks(scratch_.block_gradients.get(), batch_length_, blocks.count, i * share,
                        std::min(batch_length_, (i + 1) * share), scratch_.gradient.get());
  });
}

// ---- with other ranks ----

void Trainer::set_communicator(collective::Communicator* communicator, collective::GradientSum::Reduce reduce) {
  ranks_.reset();
  work_alone_ = 0;
  if (communicator && communicator->size() > 1) {
    ranks_ = std::make_unique<collective::GradientSum>(*communicator, reduce, batch_parameters_ + 2);
  }
}

// Every rank adds its share of the blocks; those of a rank lie side by side.
void Trainer::add_ranks(const Pass& p, const Rows& rows, const Blocks& blocks) {
  const int rank = ranks_->communicator().rank(), size = ranks_->communicator().size();
  const int64_t begin = blocks.count * rank / size, end = blocks.count * (rank + 1) / size;
  if (end > begin) block_gradients(p, rows, blocks, begin, end);
  const int64_t first_row = std::min(blocks.batch, blocks.first(begin)), end_row = std::min(blocks.batch, blocks.first(end));
  collective::GradientSum::Tally tally = {end_row - first_row, wants_stop()};
  ranks_->run(scratch_.block_gradients.get(), batch_length_, end - begin, tally, scratch_.gradient.get());
  if (tally.rows != blocks.batch) {
    throw collective::Failure(collective::Failure::kMismatch, collective::Failure::kNoRank,
                              "the ranks trained on " + std::to_string(tally.rows) + " rows of a batch of " +
                                  std::to_string(blocks.batch) + ": their data or settings differ");
  }
  stop_agreed_ = tally.stops > 0;
  work_alone_ = 0;
}

// Where every rank computes the same, being quicker than to ask others, they hear of each other from time to time:
// at the same steps on all ranks.
void Trainer::meet_ranks() {
  collective::GradientSum::Tally tally = {0, wants_stop()};
  ranks_->run(tally);
  stop_agreed_ = tally.stops > 0;
  work_alone_ = 0;
}

// Rows that may be worked on until the ranks meet; at least 1.
int64_t Trainer::rows_to_meeting() const {
  return std::max<int64_t>(1, (kMeetingWork - work_alone_) / network_.parameter_count);
}

// ---- one step, applied ----

// Turns the gradient into a mean, penalized and clipped; returns what it is still to be multiplied by. The norm is added
// up in shares and an order that know no threads.
float Trainer::shape_gradient(double scale) {
  constexpr double kEpsilon = 1e-6;  // as PyTorch has it
  const GradientShape shape = {
      static_cast<float>(scale), static_cast<float>(settings_.l1),
      settings_.clip_value > 0 ? static_cast<float>(settings_.clip_value) : std::numeric_limits<float>::infinity()};
  const int64_t shares = (length_ + kUpdateShare - 1) / kUpdateShare;
  std::vector<double> squares(static_cast<size_t>(shares));
  const float* parameters = parameters_.flat();
  ThreadPool::instance().run(shares, threads_, [&](int64_t i, int) {
    squares[static_cast<size_t>(i)] = kernels_.shape_gradient(
        shape, i * kUpdateShare, std::min(length_, (i + 1) * kUpdateShare), parameters, scratch_.gradient.get());
  });
  if (settings_.clip_norm == 0) return 1;
  const double norm = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
  return static_cast<float>(std::min(1.0, settings_.clip_norm / (norm + kEpsilon)));
}

// Turns the gradient into a mean by `scale` and applies the optimizer.
void Trainer::update(double scale) {
  const Update u = optimizer_.next_update(settings_.shapes_gradient() ? shape_gradient(scale) : scale);
  float* parameters = parameters_.change_flat();
  ThreadPool::instance().run((length_ + kUpdateShare - 1) / kUpdateShare, threads_, [&](int64_t i, int) {
    kernels_.update(u, i * kUpdateShare, std::min(length_, (i + 1) * kUpdateShare), scratch_.gradient.get(), parameters,
                    optimizer_.m(), optimizer_.v());
  });
}

// One step on rows [0, count); adds its sums to those of the epoch.
rs_status Trainer::train(const Pass& settings, const Rows& rows, int64_t count, rs_fit& fit) {
  if (takes_small_batch(count) && !settings.sample_weights) {
    return small_batch(rows, count, settings.loss_weights[0], &fit.epoch_loss_sum);
  }
  Pass p = settings;
  p.parameters = parameters_.flat();
  Dropout dropout;
  if (settings_.dropout > 0) {
    dropout = next_dropout(rows.first);
    p.dropout = &dropout;
  }
  sum_gradient(p, rows, count);
  float* sums = scratch_.gradient.get() + network_.parameter_count;
  const double weight = weight_of(count, p.sample_weights);
  last_loss_ = mean(sums[0], weight);
  if (!std::isfinite(sums[0]) || !std::isfinite(weight)) return RS_NON_FINITE;
  fit.epoch_loss_sum += sums[0];
  if (p.sample_weights) fit.epoch_weight_sum += weight;
  sums[0] = sums[1] = 0;  // they have no part in the update
  update(mean(1, weight));
  return RS_OK;
}

// `count` steps of batch 1.
rs_status Trainer::small_steps(
    const Rows& rows, int64_t count, float loss_weight, double* loss_sum, int64_t* steps) {
  float loss;
  work_alone_ += count * network_.parameter_count;
  const int64_t done = small_->train(
      view(), parameters_.change_packed(), rows, count, optimizer_.learning_rate(), loss_weight, loss_sum, &loss);
  last_loss_ = loss;
  *steps += done;
  return done == count ? RS_OK : RS_NON_FINITE;
}

bool Trainer::takes_small_batch(int64_t rows) const {
  return rows < row_path_batch_ && small_ && optimizer_.is_plain_sgd() && !settings_.beyond_plain();
}

// One step on so few rows that they are taken one by one.
rs_status Trainer::small_batch(const Rows& rows, int64_t count, float loss_weight, double* loss_sum) {
  const float loss =
      small_->train_batch(view(), parameters_.change_packed(), rows, count, optimizer_.learning_rate(), loss_weight);
  work_alone_ += count * network_.parameter_count;
  last_loss_ = mean(loss, static_cast<double>(count));
  if (!std::isfinite(loss)) return RS_NON_FINITE;
  *loss_sum += loss;
  return RS_OK;
}

rs_status Trainer::step(const float* x, const float* y, int64_t rows) {
  const Rows all = {x, y, 0, nullptr};
  double loss_sum = 0;
  int64_t steps = 0;
  if (ranks_) ranks_->communicator().check();
  rs_status status;
  if (takes_small_steps(rows)) {
    status = small_steps(all, 1, 1.0f, &loss_sum, &steps);
  } else {
    prepare(rows);
    rs_fit sums = {};
    status = train(pass(unit_weights_.data(), nullptr), all, rows, sums);
  }
  if (ranks_ && status == RS_OK) stops();
  return status;
}

double Trainer::gradient(const float* x, const float* y, int64_t rows, float* gradient) {
  prepare(rows);
  sum_gradient(pass(unit_weights_.data(), nullptr), {x, y, 0, nullptr}, rows);
  const float scale = static_cast<float>(mean(1, static_cast<double>(rows)));
  for (int64_t i = 0; i < network_.parameter_count; ++i) gradient[i] = scratch_.gradient.get()[i] * scale;
  return mean(scratch_.gradient.get()[network_.parameter_count], static_cast<double>(rows));
}

// ---- many steps ----

// Whether a fit ends here: with other ranks where all of them do.
bool Trainer::stops() {
  if (!ranks_) {
    stop_agreed_ = wants_stop();
  } else if (work_alone_ >= kMeetingWork) {
    meet_ranks();
  }
  return stop_agreed_;
}

// Goes on in the current epoch to its end, or to a pause.
rs_status Trainer::fit_rows(const rs_dataset& data, rs_fit& fit, const Shuffle* shuffle, const Pass& p,
                            const Schedule& schedule, Pause& pause) {
  const bool plain = !p.sample_weights && fit.average.kind != RS_EMA;
  while (fit.row < data.rows && !at_limit(fit)) {
    const Rows rows = {data.x.get(), data.y.get(), fit.row, shuffle};
    int64_t taken = std::min(fit.batch, data.rows - fit.row);
    if (ranks_) ranks_->communicator().check();
    optimizer_.set_learning_rate(schedule.rate(fit.steps));
    if (plain && takes_small_steps(taken)) {
      taken = std::min(fit.batch == 1 ? pause.rows_between_looks() : 1, data.rows - fit.row);
      taken = std::min(taken, schedule.steps_at_rate(fit.steps));
      if (ranks_) taken = std::min(taken, rows_to_meeting());
      if (fit.step_limit > 0) taken = std::min(taken, fit.step_limit - fit.steps);
      int64_t steps = 0;
      const rs_status status = small_steps(rows, taken, p.loss_weights[0], &fit.epoch_loss_sum, &steps);
      fit.steps += steps;
      fit.row += steps;
      if (status != RS_OK) return status;
    } else {
      const rs_status status = train(p, rows, taken, fit);
      if (status != RS_OK) return status;
      if (fit.average.kind == RS_EMA) add_to_average(1 - fit.average.ema_decay);
      fit.steps += 1;
      fit.row += taken;
    }
    if (stops()) break;
    if (pause.due(taken)) break;
  }
  return RS_OK;
}

rs_status Trainer::fit(const rs_dataset& data, rs_fit& fit) {
  if (fit.steps == 0) averaged_ = 0;
  // A schedule changes the learning rate for the time of the call alone.
  struct Restore {
    Optimizer& optimizer;
    const double rate = optimizer.exact_learning_rate();
    ~Restore() { optimizer.set_learning_rate(rate); }
  } own{optimizer_};
  return fit_epochs(data, fit, Schedule(fit, own.rate, data.rows));
}

rs_status Trainer::fit_epochs(const rs_dataset& data, rs_fit& fit, const Schedule& schedule) {
  prepare(std::min(fit.batch, data.rows));
  prepare(data.rows % fit.batch);  // an epoch's last batch: fewer rows may make more blocks, as blocks are smaller then
  const std::vector<float> weights = loss_weights(fit.target_scale);
  const Pass p = pass(weights.data(), data.weights.get());
  Pause pause(fit.seconds, network_.parameter_count);
  bool paused = false;
  fit.losses_count = 0;
  fit.stopped = 0;
  stop_agreed_ = false;
  while (fit.epoch < fit.epochs && !paused && !at_limit(fit)) {
    const Shuffle shuffle = fit.shuffle ? Shuffle(fit.seed, static_cast<uint64_t>(fit.epoch), data.rows) : Shuffle();
    const rs_status status = fit_rows(data, fit, fit.shuffle ? &shuffle : nullptr, p, schedule, pause);
    if (status != RS_OK) return status;
    paused = pause.is_due() || stop_agreed_;
    if (fit.row < data.rows) break;
    const double weight = p.sample_weights ? fit.epoch_weight_sum : static_cast<double>(data.rows);
    if (fit.losses) fit.losses[fit.losses_count] = mean(fit.epoch_loss_sum, weight);
    if (fit.average.kind == RS_SWA && fit.epoch >= fit.average.swa_start) add_epoch_to_average();
    fit.losses_count += 1;
    fit.epoch += 1;
    fit.row = 0;
    fit.epoch_loss_sum = 0;
    fit.epoch_weight_sum = 0;
    paused = paused || (fit.losses_capacity > 0 && fit.losses_count == fit.losses_capacity);
  }
  fit.done = fit.epoch == fit.epochs;
  fit.stopped = stop_agreed_;
  if (fit.done && ranks_) meet_ranks();
  return RS_OK;
}

// ---- the average of the parameters ----

// Moves the average towards the parameters by `share` of the way; the first parameters are copied.
void Trainer::add_to_average(double share) {
  if (averaged_ == 0) {
    average_.reserve(length_);
    std::memcpy(average_.get(), parameters_.flat(), static_cast<size_t>(length_) * sizeof(float));
  } else {
    const float step = static_cast<float>(share);
    const float* parameters = parameters_.flat();
    float* average = average_.get();
    for (int64_t i = 0; i < network_.parameter_count; ++i) average[i] += step * (parameters[i] - average[i]);
  }
  averaged_ += 1;
}

float* Trainer::change_average() {
  average_.reserve(length_);
  return average_.get();
}

void Trainer::get_average(float* average) const {
  std::memcpy(average, average_.get(), static_cast<size_t>(network_.parameter_count) * sizeof(float));
}

void Trainer::set_average(const float* average, int64_t averaged) {
  average_.reserve(length_);
  std::memcpy(average_.get(), average, static_cast<size_t>(network_.parameter_count) * sizeof(float));
  averaged_ = averaged;
}

void Trainer::swap_average() {
  float* parameters = parameters_.change_flat();
  std::swap_ranges(parameters, parameters + network_.parameter_count, average_.get());
}

// ---- forward only ----

double Trainer::evaluate(const rs_dataset& data, const float* target_scale) {
  const std::vector<float> weights = loss_weights(target_scale);
  const Pass p = pass(weights.data(), data.weights.get());
  const double weight = weight_of_rows(data, 0, data.rows);
  prepare(data.rows);
  if (data.rows < kRowPathBatch) {
    return mean(kernels_.row_loss(p, {data.x.get(), data.y.get(), 0, nullptr}, data.rows, workspace(0)), weight);
  }
  const Pass through = batch_pass(p);
  const Blocks blocks(data.rows, batch_parameters_);
  std::vector<double> sums(static_cast<size_t>(blocks.count));
  ThreadPool::instance().run(blocks.count, threads_, [&](int64_t block, int worker) {
    const Rows own = {data.x.get(), data.y.get(), blocks.first(block), nullptr};
    sums[static_cast<size_t>(block)] = kernels_.block_loss(through, own, blocks.size(block), workspace(worker));
  });
  return mean(std::accumulate(sums.begin(), sums.end(), 0.0), weight);
}

void Trainer::predict(const float* x, int64_t rows, float* y) {
  if (rows == 0) return;
  if (rows < kPackedPredictRows && small_) return small_->predict(view(), parameters_.packed(), x, rows, y);
  const Pass p = pass(unit_weights_.data(), nullptr);
  prepare(rows);
  if (rows < kRowPathBatch) {
    kernels_.row_predict(p, {x, nullptr, 0, nullptr}, rows, workspace(0), y);
    return;
  }
  const Pass through = batch_pass(p);
  const Blocks blocks(rows, batch_parameters_);
  ThreadPool::instance().run(blocks.count, threads_, [&](int64_t block, int worker) {
    const Rows own = {x, nullptr, blocks.first(block), nullptr};
    kernels_.block_predict(through, own, blocks.size(block), workspace(worker), y + blocks.first(block) * network_.outputs());
  });
}

}  // namespace rs::cpu
