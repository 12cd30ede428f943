// What a trainer is asked to do beyond its network and optimizer.
#pragma once

#include <cstdint>

#include "ringstep.h"

namespace rs {

struct Loss {
  rs_loss_kind kind = RS_MSE;
  float delta = 1;  // Huber's
};

// Targets of one row: a class where the loss is over classes, else one a network output.
__attribute__((always_inline)) inline int32_t target_width(rs_loss_kind kind, int32_t outputs) {
  return kind == RS_CROSS_ENTROPY ? 1 : outputs;
}

struct Settings {
  Loss loss;
  double l1 = 0;
  double clip_norm = 0;   // 0: none
  double clip_value = 0;  // 0: none
  double dropout = 0;     // the probability
  uint64_t dropout_seed = 0;
  bool collapse = false;

  bool shapes_gradient() const { return l1 > 0 || clip_norm > 0 || clip_value > 0; }

  // The first setting that is not what an engine for plain mean squared error does; null where there is none.
  const char* beyond_plain() const {
    if (loss.kind != RS_MSE) return "a loss other than the mean squared error";
    if (l1 > 0) return "the L1 penalty";
    if (clip_norm > 0 || clip_value > 0) return "gradient clipping";
    return dropout > 0 ? "dropout" : nullptr;
  }
};

}  // namespace rs
