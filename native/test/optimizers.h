// Optimizer settings of every kind.
#pragma once

#include <vector>

#include "ringstep.h"

namespace test {

struct NamedOptimizer {
  const char* name;
  rs_optimizer settings;
};

inline rs_optimizer sgd(double lr, double momentum, bool nesterov, double weight_decay) {
  rs_optimizer o = {};
  o.kind = RS_SGD;
  o.lr = lr;
  o.momentum = momentum;
  o.nesterov = nesterov;
  o.weight_decay = weight_decay;
  return o;
}

inline rs_optimizer adam(rs_optimizer_kind kind, double lr, double weight_decay) {
  rs_optimizer o = {};
  o.kind = kind;
  o.lr = lr;
  o.weight_decay = weight_decay;
  o.beta1 = 0.9;
  o.beta2 = 0.999;
  o.eps = 1e-8;
  return o;
}

inline const std::vector<NamedOptimizer> kOptimizers = {
    {"SGD", sgd(0.01, 0, false, 0)},
    {"SGD with weight decay", sgd(0.01, 0, false, 0.1)},
    {"SGD with momentum", sgd(0.01, 0.9, false, 0)},
    {"SGD with momentum and weight decay", sgd(0.01, 0.9, false, 0.1)},
    {"SGD with Nesterov momentum", sgd(0.01, 0.9, true, 0)},
    {"SGD with Nesterov momentum and weight decay", sgd(0.01, 0.9, true, 0.1)},
    {"Adam", adam(RS_ADAM, 0.01, 0)},
    {"Adam with weight decay", adam(RS_ADAM, 0.01, 0.1)},
    {"AdamW", adam(RS_ADAMW, 0.01, 0.1)},
};

}  // namespace test
