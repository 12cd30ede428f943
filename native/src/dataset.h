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
};
