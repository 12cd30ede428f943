// Rows of inputs and targets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "aligned_buffer.h"

namespace rs {

// A copy of a dataset's rows that an engine made, such as in a GPU's memory. It goes with the dataset.
class DatasetCopy {
 public:
  DatasetCopy() = default;
  virtual ~DatasetCopy() = default;
  DatasetCopy(const DatasetCopy&) = delete;
  DatasetCopy& operator=(const DatasetCopy&) = delete;
};

}  // namespace rs

struct rs_dataset {
  int64_t rows;
  int32_t inputs;
  int32_t outputs;
  rs::AlignedBuffer x;  // [rows, inputs]
  rs::AlignedBuffer y;  // [rows, outputs]
  rs::AlignedBuffer weights;  // [rows]; null where all rows count alike

  // One for each device that has used the rows; to be looked at and added to under the lock.
  mutable std::mutex copies_lock;
  mutable std::map<int, std::unique_ptr<rs::DatasetCopy>> copies;

  rs_dataset(int64_t rows, int32_t inputs, int32_t outputs)
      : rows(rows), inputs(inputs), outputs(outputs), x(rows * inputs), y(rows * outputs) {}

  // A view of `rows` rows from `first` on; `whole` must outlive it.
  rs_dataset(const rs_dataset& whole, int64_t first, int64_t rows)
      : rows(rows),
        inputs(whole.inputs),
        outputs(whole.outputs),
        x(rs::AlignedBuffer::view(const_cast<float*>(whole.x.get()) + first * whole.inputs, rows * whole.inputs)),
        y(rs::AlignedBuffer::view(const_cast<float*>(whole.y.get()) + first * whole.outputs, rows * whole.outputs)) {
    if (whole.weights.get()) weights = rs::AlignedBuffer::view(const_cast<float*>(whole.weights.get()) + first, rows);
  }
};
