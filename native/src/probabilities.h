// What the outputs of a classifier stand for.
#pragma once

#include <cstdint>

#include "ringstep.h"

namespace rs {

// In place, y [rows, outputs]: sigmoid or softmax, in float64; nothing where the loss is no classifier's.
void to_probabilities(rs_loss_kind loss, int64_t rows, int32_t outputs, float* y);

}  // namespace rs
