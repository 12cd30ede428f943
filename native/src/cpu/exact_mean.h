// The mean of the parameters of many models: the same bits whoever holds which of them.
//
// A parameter times its model's weight, if it has one, is the sum of two floats, without error. All of these are added exactly and
// rounded once to a float, the head; then once more with the head taken off, which leaves the tail. Exact sums have no
// order, so models that several ranks hold have the mean that they have in one process.
#pragma once

#include <cstdint>

#include "aligned_buffer.h"
#include "collective/gradient_sum.h"

namespace rs::cpu {

class ExactMean {
 public:
  // Of `parameters` values a model.
  explicit ExactMean(int64_t parameters);

  // Floats that one rank sends for each model: the parameters, the models' weights and what `count` counts.
  int64_t length() const { return parameters_ + 2; }

  // Begins with room for so many models of this rank. Without weights each counts 1.
  void begin(int64_t models, bool weighted);

  // Model i's part; from any thread. The weight is taken as float32.
  void put(int64_t i, const float* parameters, double weight);

  // Of all models, those of all ranks where `ranks` is not null. False where no model weighs anything; `mean` is left
  // alone then. `count` becomes the sum of every rank's; each is below 2^24.
  bool run(collective::GradientSum* ranks, int threads, int64_t& count, float* mean);

 private:
  void add(collective::GradientSum* ranks, int threads, float* sum);
  float* block(int64_t i) { return blocks_.get() + i * stride_; }

  const int64_t parameters_, stride_;
  int64_t parts_ = 1;     // blocks a model: with weights two
  int64_t count_ = 0;     // of blocks: those of the models, then the count's, then what is taken off
  AlignedBuffer blocks_;  // [count_][stride_]
  AlignedBuffer head_, tail_;
};

}  // namespace rs::cpu
