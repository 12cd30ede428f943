#include "cpu/exact_mean.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "thread_pool.h"

namespace rs::cpu {
namespace {

// Values that are worth a task of their own.
constexpr int64_t kShare = 1 << 12;

}  // namespace

ExactMean::ExactMean(int64_t parameters)
    : parameters_(parameters), stride_((length() + 15) / 16 * 16), head_(stride_), tail_(stride_) {}

void ExactMean::begin(int64_t models, bool weighted) {
  parts_ = weighted ? 2 : 1;
  count_ = parts_ * models + 2;
  blocks_.reserve(count_ * stride_);
  std::fill(block(count_ - 2), block(count_), 0.0f);
}

void ExactMean::put(int64_t i, const float* parameters, double weight) {
  float* high = block(parts_ * i);
  const double factor = parts_ == 1 ? 1 : static_cast<float>(weight);
  for (int64_t p = 0; p < parameters_; ++p) high[p] = static_cast<float>(factor * parameters[p]);
  std::fill(high + parameters_, high + stride_, 0.0f);
  high[parameters_] = static_cast<float>(factor);
  if (parts_ == 1) return;
  float* low = high + stride_;
  for (int64_t p = 0; p < parameters_; ++p) low[p] = static_cast<float>(factor * parameters[p] - high[p]);
  std::fill(low + parameters_, low + stride_, 0.0f);
}

void ExactMean::add(collective::GradientSum* ranks, int threads, float* sum) {
  if (ranks) {
    collective::GradientSum::Tally tally = {0, 0};
    ranks->run(blocks_.get(), stride_, count_, tally, sum);
    return;
  }
  ThreadPool::instance().run((stride_ + kShare - 1) / kShare, threads, [&](int64_t i, int) {
    kernels().add_blocks(blocks_.get(), stride_, count_, i * kShare, std::min(stride_, (i + 1) * kShare), sum);
  });
}

bool ExactMean::run(collective::GradientSum* ranks, int threads, int64_t& count, float* mean) {
  block(count_ - 2)[parameters_ + 1] = static_cast<float>(count);
  add(ranks, threads, head_.get());
  if (!ranks || ranks->communicator().rank() == 0) {
    for (int64_t i = 0; i < length(); ++i) block(count_ - 1)[i] = -head_.get()[i];
  }
  add(ranks, threads, tail_.get());
  const auto sum = [&](int64_t i) { return static_cast<double>(head_.get()[i]) + tail_.get()[i]; };
  count = static_cast<int64_t>(sum(parameters_ + 1));
  const double total = sum(parameters_);
  if (total == 0) return false;
  // Adding 0 makes one zero of the two.
  for (int64_t i = 0; i < parameters_; ++i) mean[i] = static_cast<float>(sum(i) / total) + 0.0f;
  return true;
}

}  // namespace rs::cpu
