// What all engines' ensembles share: each model's optimizer, and of a fit its books, its rounds between two exchanges, and
// the mean of parameters.
// A Model is an engine's own; it has
//   int64_t steps   since its parameters were set
//   int64_t failed  the step whose loss was not finite; 0 while it trains, below 0 where the number is to come
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "dataset.h"
#include "deadline.h"
#include "ringstep.h"

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

// One call of fit.
struct EnsembleFit {
  const rs_dataset& data;
  rs_fit* fits;
  rs_ensemble_run& run;
  const Deadline& deadline;

  int64_t first_row(int32_t model) const { return run.first_rows ? run.first_rows[model] : 0; }
  int64_t rows(int32_t model) const { return run.row_counts ? run.row_counts[model] : data.rows; }
};

template <typename Model>
bool is_done(const Model& model, const rs_fit& fit) {
  return model.failed || fit.epoch >= fit.epochs;
}

// Whether it has steps to take before its step_limit, and before as many epochs as its losses_capacity have ended.
template <typename Model>
bool is_due(const Model& model, const rs_fit& fit) {
  const bool at_limit = fit.step_limit > 0 && fit.steps >= fit.step_limit;
  const bool pauses = fit.losses_capacity > 0 && fit.losses_count >= fit.losses_capacity;
  return !is_done(model, fit) && !at_limit && !pauses;
}

template <typename Model>
bool all_done(const std::vector<Model>& models, const rs_fit* fits) {
  return std::all_of(models.begin(), models.end(), [&](const Model& model) { return is_done(model, fits[&model - &models[0]]); });
}

template <typename Model>
bool any_due(const std::vector<Model>& models, const rs_fit* fits) {
  return std::any_of(models.begin(), models.end(), [&](const Model& model) { return is_due(model, fits[&model - &models[0]]); });
}

// Every model pauses where it has taken so many steps; 0 for no limit.
inline void limit_steps(const EnsembleFit& fitting, size_t models, int64_t limit) {
  for (size_t k = 0; k < models; ++k) fitting.fits[k].step_limit = limit;
}

// Calls train(), and enters the steps that were taken, and which of them failed.
template <typename Model, typename Train>
void keep_books(std::vector<Model>& models, const EnsembleFit& fitting, Train train) {
  rs_fit* const fits = fitting.fits;
  std::vector<int64_t> steps_before(models.size());
  for (size_t k = 0; k < models.size(); ++k) {
    steps_before[k] = fits[k].steps;
    fits[k].losses_count = 0;
  }
  train();
  for (size_t k = 0; k < models.size(); ++k) {
    Model& model = models[k];
    const int64_t steps = fits[k].steps - steps_before[k];
    model.steps += steps;
    fitting.run.steps += steps;
    if (model.failed < 0) model.failed = model.steps + 1;
    fits[k].done = fits[k].epoch >= fits[k].epochs;
  }
  fitting.run.done = all_done(models, fits);
}

// A part of a fit that averages: to the next exchange, or where models pause after every epoch to the end of one.
struct Round {
  int64_t step_limit;
  bool exchanges, ends_epoch;
};

inline Round next_round(const EnsembleFit& fitting) {
  const rs_ensemble_run& run = fitting.run;
  const rs_fit& any = fitting.fits[0];
  const int64_t exchange = (run.exchanges + 1) * run.exchange_every;
  if (any.losses_capacity == 0 || run.epochs >= any.epochs) return {exchange, true, false};
  const int64_t epoch = (run.epochs + 1) * (1 + (fitting.rows(0) - 1) / any.batch);
  return {std::min(exchange, epoch), exchange <= epoch, epoch <= exchange};
}

// For models of one process alone, which pause only where they are not averaged. Calls train(), which takes every model to
// its step_limit, its pause or its end and is false where the time was up before. Where models are averaged it does so, with
// average() after each, until all is done or the time is up.
template <typename Model, typename Train, typename Average>
void train_in_rounds(const std::vector<Model>& models, const EnsembleFit& fitting, Train train, Average average) {
  rs_ensemble_run& run = fitting.run;
  const bool averages = run.exchange == RS_EXCHANGE_AVERAGE;
  bool done = all_done(models, fitting.fits);
  while (!done) {
    limit_steps(fitting, models.size(), averages ? (run.exchanges + 1) * run.exchange_every : 0);
    if (!train() || !averages) break;
    average();
    run.exchanges += 1;
    done = all_done(models, fitting.fits);
    if (fitting.deadline.is_past()) break;
  }
}

// The mean of the parameters, parameters_of(k), of all models that did not fail, added in the order of the models;
// weighted by weights[k], if any. Empty where there is nothing to average. For models of one process alone: cpu/exact_mean.h
// has the mean that ranks share.
template <typename Model, typename ParametersOf>
std::vector<float> mean_parameters(const std::vector<Model>& models, const double* weights, size_t count, ParametersOf parameters_of) {
  std::vector<double> sum(count);
  double total = 0;
  for (size_t k = 0; k < models.size(); ++k) {
    const double weight = weights ? weights[k] : 1;
    if (models[k].failed || weight == 0) continue;
    const float* parameters = parameters_of(k);
    for (size_t i = 0; i < count; ++i) sum[i] += weight * parameters[i];
    total += weight;
  }
  if (total == 0) return {};
  std::vector<float> mean(count);
  for (size_t i = 0; i < count; ++i) mean[i] = static_cast<float>(sum[i] / total);
  return mean;
}

}  // namespace rs
