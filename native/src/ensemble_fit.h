// What all engines' ensembles share of their models: each one's optimizer, what a fit asks of it, and how far it has come.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataset.h"
#include "deadline.h"
#include "ringstep.h"
#include "trainer.h"

namespace rs {

// A model's own.
inline rs_optimizer optimizer_of(const rs_ensemble_options& options, int32_t model) {
  rs_optimizer settings = options.model.optimizer;
  if (options.lr) settings.lr = options.lr[model];
  if (options.momentum) settings.momentum = options.momentum[model];
  if (options.weight_decay) settings.weight_decay = options.weight_decay[model];
  return settings;
}

inline bool same(const rs_optimizer& a, const rs_optimizer& b) {
  return a.kind == b.kind && a.lr == b.lr && a.momentum == b.momentum && a.nesterov == b.nesterov &&
         a.weight_decay == b.weight_decay && a.beta1 == b.beta1 && a.beta2 == b.beta2 && a.eps == b.eps;
}

// Of one model; an engine's own models begin with it.
struct ModelBooks {
  int64_t steps = 0;   // since its parameters were set
  int64_t failed = 0;  // the step whose loss was not finite; 0 while it trains, below 0 where the number is to come
};

// One call of fit.
struct EnsembleFit {
  const rs_dataset& data;
  rs_fit* fits;
  rs_ensemble_run& run;
  const Deadline& deadline;

  int64_t first_row(int32_t model) const { return run.first_rows ? run.first_rows[model] : 0; }
  int64_t rows(int32_t model) const { return run.row_counts ? run.row_counts[model] : data.rows; }
  int64_t batch(int32_t model) const { return std::min(fits[model].batch, rows(model)); }
};

inline bool is_done(const ModelBooks& model, const rs_fit& fit) { return model.failed || fit.epoch >= fit.epochs; }

// Whether it has steps to take before its step_limit, and before as many epochs as its losses_capacity have ended.
inline bool is_due(const ModelBooks& model, const rs_fit& fit) {
  const bool at_limit = fit.step_limit > 0 && fit.steps >= fit.step_limit;
  const bool pauses = fit.losses_capacity > 0 && fit.losses_count >= fit.losses_capacity;
  return !is_done(model, fit) && !at_limit && !pauses;
}

template <typename Model>
bool any_due(const std::vector<Model>& models, const rs_fit* fits) {
  return std::any_of(models.begin(), models.end(), [&](const Model& model) { return is_due(model, fits[&model - &models[0]]); });
}

// A call of a trainer's fit that goes on with a model's, whose `losses` have room for all epochs.
inline rs_status fit_alone(rs_trainer& trainer, const rs_dataset& data, rs_fit& fit, const Deadline& deadline) {
  double* const losses = fit.losses;
  const int64_t before = fit.losses_count, capacity = fit.losses_capacity;
  if (losses) fit.losses = losses + fit.epoch;
  fit.losses_capacity = capacity > 0 ? capacity - before : losses ? fit.epochs - fit.epoch : 0;
  fit.seconds = deadline.seconds_left();
  const rs_status status = trainer.fit(data, fit);
  fit.losses_count += before;
  fit.losses = losses;
  fit.losses_capacity = capacity;
  fit.seconds = 0;
  return status;
}

}  // namespace rs
