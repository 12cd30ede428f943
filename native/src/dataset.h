// Rows of inputs and targets.
#pragma once

#include <cstdint>

#include "aligned_buffer.h"

struct rs_dataset {
  int64_t rows;
  int32_t inputs;
  int32_t outputs;
  rs::AlignedBuffer x;  // [rows, inputs]
  rs::AlignedBuffer y;  // [rows, outputs]
  rs::AlignedBuffer weights;  // [rows]; null where all rows count alike

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
