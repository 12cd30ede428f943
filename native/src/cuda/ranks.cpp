// Training as one of several ranks: each computes its share of a batch's blocks on its own GPU, the block gradients are
// summed by way of the host, and every rank applies the same sum. It works with any communicator, and gives the bits that
// one GPU gives alone.
//
// As in cpu/cpu_trainer.cpp, a batch of one block is computed by every rank by itself, which is quicker than to ask.
#include <algorithm>
#include <string>

#include "cuda/cuda_trainer.h"
#include "cuda/deadline.h"

namespace rs::cuda {
namespace {

// Ranks that need nothing of each other meet after so much work, in rows x parameters: some milliseconds.
constexpr int64_t kMeetingWork = int64_t{1} << 25;

}  // namespace

void Trainer::set_communicator(collective::Communicator* communicator, collective::GradientSum::Reduce reduce) {
  ranks_.reset();
  forget_graphs();
  work_alone_ = 0;
  if (communicator && communicator->size() > 1) {
    ranks_ = std::make_unique<collective::GradientSum>(*communicator, reduce, network_.parameter_count + 1);
    all_sums_.resize(static_cast<size_t>(gradients_.length()));
  }
}

void Trainer::enqueue_step_of_ranks(const gpu::Rows& rows, int64_t count, LossWeights weights) {
  const Path way = gradients_.path(count);
  const int64_t blocks = gradients_.block_count(count, way), length = gradients_.length();
  if (blocks == 1) {
    work_alone_ += count * network_.parameter_count;
    return apply(gradients_.enqueue(rows, count, parameters_.get(), weights), count);
  }
  const int rank = ranks_->communicator().rank(), size = ranks_->communicator().size();
  const int64_t begin = blocks * rank / size, end = blocks * (rank + 1) / size;
  own_sums_.resize(static_cast<size_t>((end - begin) * length));
  if (end > begin) {
    const BlockGradients own = gradients_.enqueue(rows, count, parameters_.get(), weights, way, begin, end);
    stream_.check_launches("a rank's share of a step");
    staging_.copy_back(own_sums_.data(), own.all, own.count * length, stream_);
  }
  const gpu::Blocks cut(count, network_.parameter_count);
  const int64_t own_rows = std::min(count, cut.first(end)) - std::min(count, cut.first(begin));
  collective::GradientSum::Tally tally = {own_rows, wants_stop()};
  ranks_->run(own_sums_.data(), length, end - begin, tally, all_sums_.data());
  if (tally.rows != count) {
    throw collective::Failure(collective::Failure::kMismatch, collective::Failure::kNoRank,
                              "the ranks trained on " + std::to_string(tally.rows) + " rows of a batch of " +
                                  std::to_string(count) + ": their data or settings differ");
  }
  stop_agreed_ = tally.stops > 0;
  work_alone_ = 0;
  staging_.copy(gradient_.get(), all_sums_.data(), length, stream_);
  apply({gradient_.get(), 1}, count);
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
  clear_failure();
  while (fit.epoch < fit.epochs) {
    const Shuffle shuffle = fit.shuffle ? Shuffle(fit.seed, static_cast<uint64_t>(fit.epoch), data.rows) : Shuffle();
    const int64_t count = std::min(batch, data.rows - fit.row);
    ranks_->communicator().check();
    enqueue_step({rows.x(), rows.y(), fit.row, shuffle, fit.shuffle != 0}, count, weights);
    state_.copy_to(&seen_[0].state, 1);
    const rs_status status = finish_step(count);
    if (status != RS_OK) return status;
    fit.epoch_loss_sum += seen_[0].state.last_loss;
    fit.steps += 1;
    fit.row += count;
    if (fit.row == data.rows) {
      if (fit.losses) fit.losses[fit.losses_count] = mean(fit.epoch_loss_sum, data.rows);
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
