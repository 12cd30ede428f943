#include "cpu/cpu_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

#include "initialize.h"
#include "pause.h"
#include "shuffle.h"
#include "thread_pool.h"

namespace rs::cpu {
namespace {

// Work too small for a second thread: parameters of one update.
constexpr int64_t kUpdateShare = 1 << 16;

// And multiply-adds of one pass over rows: about 20 us.
constexpr int64_t kPassShare = 1 << 18;

// Ranks that need nothing of each other meet after so much work, in rows x parameters: some milliseconds.
constexpr int64_t kMeetingWork = int64_t{1} << 25;

}  // namespace

Trainer::Trainer(Network network, const rs_optimizer& optimizer, int threads)
    : rs_trainer(std::move(network)),
      kernels_(kernels()),
      small_(kernels_.small_network(view())),
      threads_(threads > 0 ? threads : processor_count()),
      length_(gradient_length(network_.parameter_count)),
      optimizer_(optimizer, length_),
      parameters_(view(), small_),
      gradient_(length_),
      unit_weights_(static_cast<size_t>(network_.outputs()), 1.0f),
      last_loss_(std::numeric_limits<double>::quiet_NaN()) {
  workspaces_.emplace_back(kernels_.workspace_length(view()));
}

NetworkView Trainer::view() const {
  return {network_.layers.data(), static_cast<int32_t>(network_.layers.size()), network_.activation,
          network_.parameter_count, network_.widest};
}

Pass Trainer::pass(const float* loss_weights) const { return {view(), parameters_.flat(), loss_weights}; }

std::vector<float> Trainer::loss_weights(const float* target_scale) const {
  std::vector<float> weights = unit_weights_;
  for (size_t o = 0; target_scale && o < weights.size(); ++o) weights[o] = target_scale[o] * target_scale[o];
  return weights;
}

double Trainer::mean(double sum, int64_t rows) const {
  return sum / (static_cast<double>(rows) * network_.outputs());
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

void Trainer::get_state(float* moments, rs_optimizer_state& state) const {
  optimizer_.get_state(network_.parameter_count, moments, state);
}

void Trainer::set_state(const float* moments, const rs_optimizer_state& state) {
  optimizer_.set_state(network_.parameter_count, moments, state);
}

// ---- one step ----

bool Trainer::takes_small_steps(int64_t rows) const { return rows == 1 && small_ && optimizer_.is_plain_sgd(); }

const char* Trainer::path(int64_t batch) const {
  return takes_small_steps(batch) ? "small-network" : batch < kRowPathBatch ? "row" : "batch";
}

// Takes all memory that a step on `rows` rows needs.
void Trainer::prepare(int64_t rows) {
  if (rows < kRowPathBatch) return;
  const Blocks blocks(rows, network_.parameter_count);
  if (blocks.count == 1) return;
  block_gradients_.reserve(blocks.count * length_);
  const size_t workers = static_cast<size_t>(std::min<int64_t>(threads_, blocks.count));
  while (workspaces_.size() < workers) workspaces_.emplace_back(kernels_.workspace_length(view()));
}

// gradient_ = the sum over the rows, the loss sum last.
void Trainer::sum_gradient(const Rows& rows, int64_t count, const float* loss_weights) {
  const Pass p = pass(loss_weights);
  const Blocks blocks(count, network_.parameter_count);
  if (ranks_ && count >= kRowPathBatch && blocks.count > 1) return add_ranks(p, rows, blocks);
  work_alone_ += count * network_.parameter_count;
  if (count < kRowPathBatch) {
    kernels_.row_gradient(p, rows, count, workspace(0), gradient_.get());
    return;
  }
  if (blocks.count == 1) {
    kernels_.block_gradient(p, rows, count, workspace(0), gradient_.get());
    return;
  }
  block_gradients(p, rows, blocks, 0, blocks.count);
  add_blocks(blocks);
}

// Blocks that are worth a task of their own.
int64_t Trainer::blocks_a_task(const Blocks& blocks) const {
  return std::max<int64_t>(1, kPassShare / (blocks.rows * network_.parameter_count));
}

// The gradients of blocks [begin, end), the first of them first in block_gradients_.
void Trainer::block_gradients(const Pass& p, const Rows& rows, const Blocks& blocks, int64_t begin, int64_t end) {
  const int64_t share = blocks_a_task(blocks);
  ThreadPool::instance().run((end - begin + share - 1) / share, threads_, [&](int64_t task, int worker) {
    const int64_t first = begin + task * share, last = std::min(end, first + share);
    for (int64_t block = first; block < last; ++block) {
      const Rows own = {rows.x, rows.y, rows.first + blocks.first(block), rows.shuffle};
      float* gradient = block_gradients_.get() + (block - begin) * length_;
      kernels_.block_gradient(p, own, blocks.size(block), workspace(worker), gradient);
    }
  });
}

void Trainer::add_blocks(const Blocks& blocks) {
  const int64_t share = std::max<int64_t>(16, kUpdateShare / blocks.count / 16 * 16);
  ThreadPool::instance().run((length_ + share - 1) / share, threads_, [&](int64_t i, int) {
    kernels_.add_blocks(block_gradients_.get(), length_, blocks.count, i * share,
                        std::min(length_, (i + 1) * share), gradient_.get());
  });
}

// ---- with other ranks ----

void Trainer::set_communicator(collective::Communicator* communicator, collective::GradientSum::Reduce reduce) {
  ranks_.reset();
  work_alone_ = 0;
  if (communicator && communicator->size() > 1) {
    ranks_ = std::make_unique<collective::GradientSum>(*communicator, reduce, network_.parameter_count + 1);
  }
}

// Every rank adds its share of the blocks; those of a rank lie side by side.
void Trainer::add_ranks(const Pass& p, const Rows& rows, const Blocks& blocks) {
  const int rank = ranks_->communicator().rank(), size = ranks_->communicator().size();
  const int64_t begin = blocks.count * rank / size, end = blocks.count * (rank + 1) / size;
  if (end > begin) block_gradients(p, rows, blocks, begin, end);
  const int64_t first_row = std::min(blocks.batch, blocks.first(begin)), end_row = std::min(blocks.batch, blocks.first(end));
  collective::GradientSum::Tally tally = {end_row - first_row, wants_stop()};
  ranks_->run(block_gradients_.get(), length_, end - begin, tally, gradient_.get());
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

// Turns gradient_ into a mean and applies the optimizer.
void Trainer::update(int64_t rows) {
  const Update u = optimizer_.next_update(mean(1, rows));
  float* parameters = parameters_.change_flat();
  ThreadPool::instance().run((length_ + kUpdateShare - 1) / kUpdateShare, threads_, [&](int64_t i, int) {
    kernels_.update(u, i * kUpdateShare, std::min(length_, (i + 1) * kUpdateShare), gradient_.get(), parameters,
                    optimizer_.m(), optimizer_.v());
  });
}

// One step on rows [0, count); adds its loss sum to loss_sum.
rs_status Trainer::train(const Rows& rows, int64_t count, const float* loss_weights, double* loss_sum) {
  sum_gradient(rows, count, loss_weights);
  float& loss = gradient_.get()[network_.parameter_count];
  last_loss_ = mean(loss, count);
  if (!std::isfinite(loss)) return RS_NON_FINITE;
  *loss_sum += loss;
  loss = 0;  // it has no part in the update
  update(count);
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
    status = train(all, rows, unit_weights_.data(), &loss_sum);
  }
  if (ranks_ && status == RS_OK) stops();
  return status;
}

double Trainer::gradient(const float* x, const float* y, int64_t rows, float* gradient) {
  prepare(rows);
  sum_gradient({x, y, 0, nullptr}, rows, unit_weights_.data());
  const float scale = static_cast<float>(mean(1, rows));
  for (int64_t i = 0; i < network_.parameter_count; ++i) gradient[i] = gradient_.get()[i] * scale;
  return mean(gradient_.get()[network_.parameter_count], rows);
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
rs_status Trainer::fit_rows(
    const rs_dataset& data, rs_fit& fit, const Shuffle* shuffle, const float* loss_weights, Pause& pause) {
  while (fit.row < data.rows) {
    const Rows rows = {data.x.get(), data.y.get(), fit.row, shuffle};
    int64_t taken = std::min(fit.batch, data.rows - fit.row);
    if (ranks_) ranks_->communicator().check();
    if (takes_small_steps(taken)) {
      taken = std::min(fit.batch == 1 ? pause.rows_between_looks() : 1, data.rows - fit.row);
      if (ranks_) taken = std::min(taken, rows_to_meeting());
      int64_t steps = 0;
      const rs_status status = small_steps(rows, taken, loss_weights[0], &fit.epoch_loss_sum, &steps);
      fit.steps += steps;
      fit.row += steps;
      if (status != RS_OK) return status;
    } else {
      const rs_status status = train(rows, taken, loss_weights, &fit.epoch_loss_sum);
      if (status != RS_OK) return status;
      fit.steps += 1;
      fit.row += taken;
    }
    if (stops()) break;
    if (pause.due(taken)) break;
  }
  return RS_OK;
}

rs_status Trainer::fit(const rs_dataset& data, rs_fit& fit) {
  prepare(std::min(fit.batch, data.rows));
  prepare(data.rows % fit.batch);  // an epoch's last batch: fewer rows may make more blocks, as blocks are smaller then
  const std::vector<float> weights = loss_weights(fit.target_scale);
  Pause pause(fit.seconds, network_.parameter_count);
  bool paused = false;
  fit.losses_count = 0;
  fit.stopped = 0;
  stop_agreed_ = false;
  while (fit.epoch < fit.epochs && !paused) {
    const Shuffle shuffle = fit.shuffle ? Shuffle(fit.seed, static_cast<uint64_t>(fit.epoch), data.rows) : Shuffle();
    const rs_status status = fit_rows(data, fit, fit.shuffle ? &shuffle : nullptr, weights.data(), pause);
    if (status != RS_OK) return status;
    paused = pause.is_due() || stop_agreed_;
    if (fit.row < data.rows) break;
    if (fit.losses) fit.losses[fit.losses_count] = mean(fit.epoch_loss_sum, data.rows);
    fit.losses_count += 1;
    fit.epoch += 1;
    fit.row = 0;
    fit.epoch_loss_sum = 0;
    paused = paused || (fit.losses_capacity > 0 && fit.losses_count == fit.losses_capacity);
  }
  fit.done = fit.epoch == fit.epochs;
  fit.stopped = stop_agreed_;
  if (fit.done && ranks_) meet_ranks();
  return RS_OK;
}

// ---- forward only ----

double Trainer::evaluate(const rs_dataset& data, const float* target_scale) {
  const std::vector<float> weights = loss_weights(target_scale);
  const Pass p = pass(weights.data());
  if (data.rows < kRowPathBatch) {
    return mean(kernels_.row_loss(p, {data.x.get(), data.y.get(), 0, nullptr}, data.rows, workspace(0)), data.rows);
  }
  prepare(data.rows);
  const Blocks blocks(data.rows, network_.parameter_count);
  std::vector<double> sums(static_cast<size_t>(blocks.count));
  ThreadPool::instance().run(blocks.count, threads_, [&](int64_t block, int worker) {
    const Rows own = {data.x.get(), data.y.get(), blocks.first(block), nullptr};
    sums[static_cast<size_t>(block)] = kernels_.block_loss(p, own, blocks.size(block), workspace(worker));
  });
  return mean(std::accumulate(sums.begin(), sums.end(), 0.0), data.rows);
}

void Trainer::predict(const float* x, int64_t rows, float* y) {
  if (rows == 0) return;
  if (rows < kRowPathBatch && small_) return small_->predict(view(), parameters_.packed(), x, rows, y);
  const Pass p = pass(unit_weights_.data());
  if (rows < kRowPathBatch) {
    kernels_.row_predict(p, {x, nullptr, 0, nullptr}, rows, workspace(0), y);
    return;
  }
  prepare(rows);
  const Blocks blocks(rows, network_.parameter_count);
  ThreadPool::instance().run(blocks.count, threads_, [&](int64_t block, int worker) {
    const Rows own = {x, nullptr, blocks.first(block), nullptr};
    kernels_.block_predict(p, own, blocks.size(block), workspace(worker), y + blocks.first(block) * network_.outputs());
  });
}

}  // namespace rs::cpu
