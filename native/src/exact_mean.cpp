#include "exact_mean.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "thread_pool.h"

namespace rs {
namespace {

// Values that are worth a task of their own.
constexpr int64_t kShare = 1 << 12;

}  // namespace

ExactMean::ExactMean(int64_t values)
    : values_(values), stride_((length() + 15) / 16 * 16), head_(stride_), tail_(stride_) {}

void ExactMean::begin(int64_t models, int parts) {
  parts_ = parts;
  count_ = parts_ * models + 1;
  blocks_.reserve(count_ * stride_);
  std::fill(block(count_ - 1), block(count_), 0.0f);
}

template <typename T>
void ExactMean::put(int64_t i, const T* values, double weight) {
  float* high = block(parts_ * i);
  const double factor = static_cast<float>(weight);
  for (int64_t v = 0; v < values_; ++v) high[v] = static_cast<float>(factor * values[v]);
  std::fill(high + values_, high + stride_, 0.0f);
  high[values_] = static_cast<float>(factor);
  if (parts_ == 1) return;
  float* low = high + stride_;
  for (int64_t v = 0; v < values_; ++v) low[v] = static_cast<float>(factor * values[v] - high[v]);
  std::fill(low + values_, low + stride_, 0.0f);
}

void ExactMean::add(collective::GradientSum* ranks, int threads, float* sum) {
  if (ranks) {
    collective::GradientSum::Tally tally = {0, 0};
    ranks->run(blocks_.get(), stride_, count_, tally, sum);
    return;
  }
  ThreadPool::instance().run((stride_ + kShare - 1) / kShare, threads, [&](int64_t i, int) {
    cpu::kernels().add_blocks(blocks_.get(), stride_, count_, i * kShare, std::min(stride_, (i + 1) * kShare), sum);
  });
}

template <typename T>
bool ExactMean::run(collective::GradientSum* ranks, int threads, T* mean) {
  add(ranks, threads, head_.get());
  if (!ranks || ranks->communicator().rank() == 0) {
    for (int64_t i = 0; i < length(); ++i) block(count_ - 1)[i] = -head_.get()[i];
  }
  add(ranks, threads, tail_.get());
  const auto sum = [&](int64_t i) { return static_cast<double>(head_.get()[i]) + tail_.get()[i]; };
  const double total = sum(values_);
  if (total == 0) return false;
  // Adding 0 makes one zero of the two.
  for (int64_t i = 0; i < values_; ++i) mean[i] = static_cast<T>(sum(i) / total) + T{0};
  return true;
}

template void ExactMean::put(int64_t, const float*, double);
template void ExactMean::put(int64_t, const double*, double);
template bool ExactMean::run(collective::GradientSum*, int, float*);
template bool ExactMean::run(collective::GradientSum*, int, double*);

}  // namespace rs
