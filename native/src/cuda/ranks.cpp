// Training as one of several ranks: each computes its share of a batch's blocks on its own GPU, the block gradients are
// summed, and every rank applies the same sum. It gives the bits that one GPU gives alone.
//
// With NCCL the sum stays on the GPUs: the blocks become digits of the exact sum (add_blocks.h), whose sum as integers is
// NCCL's, and what came of it is rounded. With any other communicator the block gradients are summed by way of the host.
//
// As in cpu/cpu_trainer.cpp, a batch of one block is computed by every rank by itself, which is quicker than to ask.
#include <algorithm>
#include <string>

#include "cuda/cuda_trainer.h"
#include "deadline.h"
#include "exact_sum.h"
#include "gather_rows.h"
#include "require_rows.h"

namespace rs::cuda {
namespace {

// Ranks that need nothing of each other meet after so much work, in rows x parameters: some milliseconds.
constexpr int64_t kMeetingWork = int64_t{1} << 25;

}  // namespace

void Trainer::set_communicator(collective::Communicator* communicator, collective::GradientSum::Reduce reduce) {
  const DeviceScope scope(device_.ordinal());
  leave_ranks();
  if (!communicator || communicator->size() == 1) return;
  reduce_ = reduce;
  nccl_ = dynamic_cast<collective::Nccl*>(communicator);
  if (nccl_) join_by_nccl();
  ranks_ = std::make_unique<collective::GradientSum>(*communicator, reduce, network_.parameter_count + 1);
  all_sums_.resize(static_cast<size_t>(gradients_.length()));
}

void Trainer::leave_ranks() {
  if (window_) stream_.wait("leaving the ranks");
  forget_graphs();
  window_.reset();
  sum_ = nullptr;
  ranks_.reset();
  nccl_ = nullptr;
  work_alone_ = sum_under_way_ = rank_graph_rows_ = 0;
  captures_ = false;
}

// Once and for all steps, whose sums are all alike; so none is enqueued that others do not enqueue too.
void Trainer::join_by_nccl() {
  nccl_->agree({{"parameters", network_.parameter_count}, {"--reduce (0 exact, 1 float)", reduce_}});
  const int64_t words = words_of_sum() + 2;
  window_ = nccl_->window(words * static_cast<int64_t>(sizeof(int64_t)));
  if (!window_) no_window_.reserve(device_, words, "the digits of a sum", stream_);
  sum_ = window_ ? static_cast<int64_t*>(window_->get()) : no_window_.get();
  captures_ = nccl_->all_have(nccl_->may_capture());
}

int64_t Trainer::words_of_sum() const {
  const int64_t length = gradients_.length();
  return reduce_ == collective::GradientSum::kExact ? ExactSum::kDigits * length : (length + 1) / 2;
}

// Of a batch's blocks, [first, second) are this rank's.
std::pair<int64_t, int64_t> Trainer::own_blocks(int64_t count) const {
  const int64_t blocks = gradients_.block_count(count, gradients_.path(count));
  const int rank = ranks_->communicator().rank(), size = ranks_->communicator().size();
  return {blocks * rank / size, blocks * (rank + 1) / size};
}

void Trainer::enqueue_step_of_ranks(const gpu::Rows& rows, int64_t count, LossWeights weights) {
  const Path way = gradients_.path(count);
  if (gradients_.block_count(count, way) == 1) {
    work_alone_ += count * network_.parameter_count;
    return apply(gradients_.enqueue(rows, count, parameters_.get(), weights), count);
  }
  if (nccl_) {
    begin_sum_by_nccl(count);
    enqueue_step_by_nccl(rows, count, weights);
    return sum_by_nccl_is_enqueued(count);
  }
  const int64_t length = gradients_.length();
  const auto [begin, end] = own_blocks(count);
  BlockGradients own = {nullptr, 0};
  if (end > begin) own = gradients_.enqueue(rows, count, parameters_.get(), weights, way, begin, end);
  own_sums_.resize(static_cast<size_t>(own.count * length));
  stream_.check_launches("a rank's share of a step");
  if (own.count > 0) staging_.copy_back(own_sums_.data(), own.all, own.count * length, stream_);
  collective::GradientSum::Tally tally = {own_rows(count), wants_stop()};
  ranks_->run(own_sums_.data(), length, own.count, tally, all_sums_.data());
  require_whole_batch(tally.rows, count);
  stop_agreed_ = tally.stops > 0;
  work_alone_ = 0;
  staging_.copy(gradient_.get(), all_sums_.data(), length, stream_);
  apply({gradient_.get(), 1}, count);
}

int64_t Trainer::own_rows(int64_t count) const {
  const auto [begin, end] = own_blocks(count);
  const gpu::Blocks cut(count, network_.parameter_count);
  return std::min(count, cut.first(end)) - std::min(count, cut.first(begin));
}

// What a graph of the step reads when it runs.
void Trainer::begin_sum_by_nccl(int64_t count) {
  tally_[0] = own_rows(count);
  tally_[1] = wants_stop();
}

void Trainer::sum_by_nccl_is_enqueued(int64_t count) {
  summed_.record(stream_);
  sum_under_way_ = count;
}

void Trainer::enqueue_step_by_nccl(const gpu::Rows& rows, int64_t count, LossWeights weights) {
  const auto [begin, end] = own_blocks(count);
  BlockGradients own = {nullptr, 0};
  if (end > begin) own = gradients_.enqueue(rows, count, parameters_.get(), weights, gradients_.path(count), begin, end);
  enqueue_sum_by_nccl(own, count);
  apply({gradient_.get(), 1}, count);
}

// ---- the step as a graph ----
//
// Whether a sum is in a graph must be the same on all ranks. So they agree before they use one, and at the start of each
// fit, as a rank may have lost its graph to memory that moved.

void Trainer::reserve_gathered(int64_t batch) {
  bool moved = window_x_.reserve(device_, batch * network_.inputs(), "the rows of a fit", stream_);
  moved |= window_y_.reserve(device_, batch * network_.outputs(), "the rows of a fit", stream_);
  if (moved) forget_graphs();
}

void Trainer::agree_on_graph() {
  if (!captures_) return;
  if (!nccl_->all_have(static_cast<bool>(rank_graph_))) {
    rank_graph_ = Graph();
    rank_graph_rows_ = 0;
  }
}

// The first whole batch goes without a graph, so that all kernels are loaded before they are recorded.
void Trainer::enqueue_step_of_fit(const gpu::Rows& rows, int64_t count, int64_t batch, LossWeights weights) {
  const bool shared = gradients_.block_count(count, gradients_.path(count)) > 1;
  if (!captures_ || !shared || count != batch) return enqueue_step_of_ranks(rows, count, weights);
  gpu::gather_rows(rows, count, network_.inputs(), network_.outputs(), window_x_.get(), window_y_.get(), stream_);
  const gpu::Rows here = {window_x_.get(), window_y_.get(), 0, Shuffle(), false};
  const bool known = rank_graph_rows_ == count && rank_graph_loss_weight_ == weights.first;
  if (!known) rank_graph_ = Graph();
  rank_graph_rows_ = count;
  rank_graph_loss_weight_ = weights.first;
  if (!known || !record_graph(here, count, weights)) return enqueue_step_of_ranks(here, count, weights);
  begin_sum_by_nccl(count);
  rank_graph_.launch(device_.ordinal(), stream_);
  sum_by_nccl_is_enqueued(count);
}

// Whether there is one, on all ranks.
bool Trainer::record_graph(const gpu::Rows& rows, int64_t count, LossWeights weights) {
  if (rank_graph_) return true;
  rank_graph_ = Graph::record(device_.ordinal(), stream_, [&] { enqueue_step_by_nccl(rows, count, weights); });
  captures_ = nccl_->all_have(static_cast<bool>(rank_graph_));
  if (!captures_) rank_graph_ = Graph();
  return captures_;
}

// gradient_ = the sum over all ranks' blocks, once the stream gets there; of a batch of `rows` rows, or not finite.
void Trainer::enqueue_sum_by_nccl(BlockGradients own, int64_t rows) {
  const int64_t length = gradients_.length(), words = words_of_sum();
  int64_t* const tally = sum_ + words;
  check(cudaMemcpyAsync(tally, tally_.get(), 2 * sizeof(int64_t), cudaMemcpyHostToDevice, stream_), "copying a tally",
        device_.ordinal());
  const collective::NcclStream stream = static_cast<cudaStream_t>(stream_);
  if (reduce_ == collective::GradientSum::kExact) {
    check(cudaMemsetAsync(sum_, 0, static_cast<size_t>(words) * sizeof(int64_t), stream_), "clearing a sum", device_.ordinal());
    if (own.count > 0) gpu::add_blocks_to_digits(own.all, own.count, length, sum_, stream_);
    stream_.check_launches("a rank's share of a step");
    nccl_->enqueue(sum_, sum_, words + 2, collective::Element::kInt64, stream);
    gpu::digits_to_gradient(sum_, length, gradient_.get(), stream_);
  } else {
    float* const floats = reinterpret_cast<float*>(sum_);
    gradients_.enqueue_sum(own, floats);
    stream_.check_launches("a rank's share of a step");
    nccl_->enqueue(floats, floats, length, collective::Element::kFloat32, stream);
    nccl_->enqueue(tally, tally, 2, collective::Element::kInt64, stream);
    check(cudaMemcpyAsync(gradient_.get(), floats, static_cast<size_t>(length) * sizeof(float), cudaMemcpyDeviceToDevice, stream_),
          "copying a sum", device_.ordinal());
  }
  // A step whose gradient is not finite is not applied. The host looks too late for that.
  gpu::require_rows(tally, rows, gradient_.get() + network_.parameter_count, stream_);
  check(cudaMemcpyAsync(tally_.get(), tally, 2 * sizeof(int64_t), cudaMemcpyDeviceToHost, stream_), "copying a tally",
        device_.ordinal());
}

// Waits no longer than the communicator's deadline.
void Trainer::end_sum_by_nccl() {
  const int64_t rows = sum_under_way_;
  sum_under_way_ = 0;
  try {
    nccl_->wait([this] { return summed_.is_done("a sum of gradients"); });
  } catch (const collective::Failure&) {
    rank_graph_ = Graph();  // of a communicator that was aborted
    throw;
  }
  require_whole_batch(tally_[0], rows);
  stop_agreed_ = tally_[1] > 0;
  work_alone_ = 0;
}

void Trainer::require_whole_batch(int64_t summed, int64_t rows) const {
  if (summed == rows) return;
  throw collective::Failure(collective::Failure::kMismatch, collective::Failure::kNoRank,
                            "the ranks trained on " + std::to_string(summed) + " rows of a batch of " + std::to_string(rows) +
                                ": their data or settings differ");
}

// Where every rank computes the same, they hear of each other from time to time: at the same steps on all ranks.
void Trainer::meet_ranks() {
  collective::GradientSum::Tally tally = {0, wants_stop()};
  ranks_->run(tally);
  stop_agreed_ = tally.stops > 0;
  work_alone_ = 0;
}

bool Trainer::ranks_stop() {
  if (work_alone_ >= kMeetingWork) meet_ranks();
  return stop_agreed_;
}

// Step by step: what a step leaves is looked at before the next, as all ranks must come to the same end.
rs_status Trainer::fit_with_ranks(const DatasetRows& rows, const rs_dataset& data, rs_fit& fit, LossWeights weights) {
  const Deadline deadline(fit.seconds);
  const int64_t batch = std::min(fit.batch, data.rows);
  stop_agreed_ = false;
  if (captures_) reserve_gathered(batch);
  agree_on_graph();
  while (fit.epoch < fit.epochs) {
    const Shuffle shuffle = fit.shuffle ? Shuffle(fit.seed, static_cast<uint64_t>(fit.epoch), data.rows) : Shuffle();
    const int64_t count = std::min(batch, data.rows - fit.row);
    ranks_->communicator().check();
    enqueue_step_of_fit({rows.x(), rows.y(), fit.row, shuffle, fit.shuffle != 0}, count, batch, weights);
    state_.copy_to(&seen_[0].state, 1);
    const rs_status status = finish_step(count);
    if (status != RS_OK) return status;
    if (averages_step(fit)) {
      enqueue_average(fit.average);
      averaged_ += 1;
    }
    fit.epoch_loss_sum += seen_[0].state.last_loss;
    fit.steps += 1;
    fit.row += count;
    if (fit.row == data.rows) {
      if (fit.losses) fit.losses[fit.losses_count] = mean(fit.epoch_loss_sum, data.rows);
      if (fit.average.kind == RS_SWA) enqueue_average(fit.average);
      averaged_ += averages_epoch(fit);
      fit.losses_count += 1;
      fit.epoch += 1;
      fit.row = 0;
      fit.epoch_loss_sum = 0;
    }
    const bool full = fit.losses_capacity > 0 && fit.losses_count == fit.losses_capacity;
    if (stop_agreed_ || full || deadline.is_past()) break;
  }
  return RS_OK;
}

}  // namespace rs::cuda
