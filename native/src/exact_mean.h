// The mean of what many models have, such as parameters: the same bits whoever holds which of them.
//
// A value times its model's weight is kept as the sum of two floats: without error where it is a float, else as 48 bits of it.
// All of these are added exactly and rounded once to a float, the head; then once more with the head taken off, which leaves
// the tail. Exact sums have no order, so models that several ranks hold have the mean that they have in one process.
#pragma once

#include <cstdint>

#include "aligned_buffer.h"
#include "collective/gradient_sum.h"

namespace rs {

class ExactMean {
 public:
  // Of so many values a model.
  explicit ExactMean(int64_t values);

  // Floats that one rank sends for each model: the values and the model's weight.
  int64_t length() const { return values_ + 1; }

  // Begins with room for so many models of this rank. A term is a weight times a value: one part is enough where all are
  // floats, else there are two.
  void begin(int64_t models, int parts);

  // Model i's values; from any thread. The weight is taken as float32.
  template <typename T>
  void put(int64_t i, const T* values, double weight = 1);

  // Of all models, those of all ranks where `ranks` is not null. False where no model weighs anything; `mean` is left
  // alone then.
  template <typename T>
  bool run(collective::GradientSum* ranks, int threads, T* mean);

 private:
  void add(collective::GradientSum* ranks, int threads, float* sum);
  float* block(int64_t i) { return blocks_.get() + i * stride_; }

  const int64_t values_, stride_;
  int64_t parts_ = 1;     // blocks a model
  int64_t count_ = 0;     // of blocks: those of the models, then what is taken off
  AlignedBuffer blocks_;  // [count_][stride_]
  AlignedBuffer head_, tail_;
};

}  // namespace rs
