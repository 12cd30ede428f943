// Every model of an ensemble has the bits of the same model alone: for random shapes, settings, batches, orders
// and rows, any number of threads, and however a fit is cut up.
#include <cmath>
#include <cstdio>
#include <string>

#include "bits.h"
#include "engine.h"
#include "network_case.h"
#include "optimizers.h"
#include "sanitizers.h"

using test::Dataset;
using test::Random;
using test::Trainer;

namespace {

struct DestroyEnsemble {
  void operator()(rs_ensemble* ensemble) const { rs_ensemble_destroy(ensemble); }
};
using Ensemble = std::unique_ptr<rs_ensemble, DestroyEnsemble>;

// K models, each with settings of its own.
struct Work {
  std::vector<int32_t> sizes;
  rs_activation activation;
  rs_optimizer optimizer;
  int32_t models;
  int64_t rows;
  std::vector<double> lr, momentum, weight_decay;
  std::vector<uint64_t> seeds;
  std::vector<float> scale;
  std::vector<rs_fit> fits;
  std::vector<int64_t> first_rows, row_counts;  // empty: all rows

  int64_t first_row(int32_t k) const { return first_rows.empty() ? 0 : first_rows[static_cast<size_t>(k)]; }
  int64_t rows_of(int32_t k) const { return row_counts.empty() ? rows : row_counts[static_cast<size_t>(k)]; }

  rs_optimizer optimizer_of(int32_t k) const {
    rs_optimizer own = optimizer;
    own.lr = lr[static_cast<size_t>(k)];
    own.momentum = momentum[static_cast<size_t>(k)];
    own.weight_decay = weight_decay[static_cast<size_t>(k)];
    return own;
  }

  std::string name() const {
    std::string text = std::to_string(models) + " models of";
    for (int32_t size : sizes) text += " " + std::to_string(size);
    return text + ", activation " + std::to_string(activation) + ", optimizer " + std::to_string(optimizer.kind) +
           ", batch " + std::to_string(fits[0].batch) + ", " + std::to_string(rows) + " rows";
  }
};

// Schedules and averages, one after the other; every third fit has none.
void vary(rs_fit& fit, int64_t turn) {
  const rs_schedule schedules[] = {{RS_CONSTANT, 0, 0, 0, 0, 0},
                                   {RS_STEP_DECAY, 1, 0.5, 0, 0, 0},
                                   {RS_COSINE, 0, 0, 0.001, 7, 0.25},
                                   {RS_CONSTANT, 0, 0, 0, 40, 0.25}};
  const rs_average averages[] = {{RS_EMA, 0.9, 0}, {RS_NO_AVERAGE, 0, 0}, {RS_SWA, 0, 1}, {RS_EMA, 0.5, 0}, {RS_SWA, 0, 3}};
  if (turn % 3 == 0) return;
  fit.schedule = schedules[turn / 3 % 4];
  fit.average = averages[turn % 5];
  if (turn % 4 == 0) fit.lr_scale = 0.7;
}

enum class Order { kOwn, kShared, kNone };

int64_t varied = 0;

Work random_work(Random& random, const std::vector<int32_t>& sizes, rs_activation activation, const rs_optimizer& optimizer,
                 int32_t models, int64_t batch, Order order, bool groups) {
  Work work = {};
  work.sizes = sizes;
  work.activation = activation;
  work.optimizer = optimizer;
  work.models = models;
  work.rows = 0;
  for (int32_t o = 0; o < sizes.back(); ++o) work.scale.push_back(random.uniform(0.5f, 2));
  for (int32_t k = 0; k < models; ++k) {
    const bool sgd = optimizer.kind == RS_SGD;
    work.lr.push_back(k % 5 == 3 ? 0 : random.uniform(0.001f, 0.02f));
    work.momentum.push_back(sgd && (optimizer.nesterov || (optimizer.momentum > 0 && k % 3)) ? random.uniform(0.1f, 0.9f) : 0);
    work.weight_decay.push_back(optimizer.weight_decay > 0 && k % 4 ? random.uniform(0.01f, 0.1f) : 0);
    work.seeds.push_back(random.bits());
    rs_fit fit = {};
    fit.batch = batch;
    fit.epochs = 3;
    fit.shuffle = order != Order::kNone;
    fit.seed = order == Order::kShared ? 7 : random.bits();
    fit.target_scale = random.below(2) ? work.scale.data() : nullptr;
    vary(fit, varied++);
    work.fits.push_back(fit);
    if (groups) {
      work.first_rows.push_back(work.rows);
      work.row_counts.push_back(1 + random.below(40));
      work.rows += work.row_counts.back();
    }
  }
  if (!groups) work.rows = 37;
  for (rs_fit& fit : work.fits) fit.target_scale = fit.target_scale ? work.scale.data() : nullptr;
  return work;
}

Ensemble make_ensemble(const Work& work, int32_t threads) {
  rs_ensemble_options options = {};
  options.model.sizes = work.sizes.data();
  options.model.size_count = static_cast<int32_t>(work.sizes.size());
  options.model.activation = work.activation;
  options.model.optimizer = work.optimizer;
  options.model.threads = threads;
  options.models = work.models;
  options.lr = work.lr.data();
  options.momentum = work.momentum.data();
  options.weight_decay = work.weight_decay.data();
  rs_ensemble* ensemble = nullptr;
  CHECK_OK(rs_ensemble_create(&options, &ensemble));
  CHECK_OK(rs_ensemble_init(ensemble, work.seeds.data()));
  CHECK(rs_ensemble_models(ensemble) == work.models, "%d", rs_ensemble_models(ensemble));
  return Ensemble(ensemble);
}

struct Outcome {
  std::vector<float> parameters;  // and where the fit kept an average, that
  std::vector<double> losses;  // of epochs, then of the last step, then over all rows
  int64_t steps = 0;
  int64_t failed = 0;
};

// Rows [first, first + count) as a dataset.
Dataset cut(rs_dataset* data, const Work& work, int64_t first, int64_t count) {
  const int64_t in = work.sizes.front(), out = work.sizes.back();
  rs_dataset* own = nullptr;
  CHECK_OK(rs_dataset_create(count, work.sizes.front(), work.sizes.back(), &own));
  std::copy_n(rs_dataset_x(data) + first * in, count * in, rs_dataset_x(own));
  std::copy_n(rs_dataset_y(data) + first * out, count * out, rs_dataset_y(own));
  return Dataset(own);
}

Outcome alone(const Work& work, rs_dataset* data, int32_t k) {
  const Dataset own = cut(data, work, work.first_row(k), work.rows_of(k));
  const Trainer trainer = test::make_trainer(work.sizes, work.activation, work.optimizer_of(k), 1);
  CHECK_OK(rs_trainer_init(trainer.get(), work.seeds[static_cast<size_t>(k)]));
  Outcome outcome;
  outcome.losses.assign(static_cast<size_t>(work.fits[0].epochs), 0);
  rs_fit fit = work.fits[static_cast<size_t>(k)];
  fit.losses = outcome.losses.data();
  fit.losses_capacity = fit.epochs;
  const rs_status status = rs_trainer_fit(trainer.get(), own.get(), &fit);
  CHECK(status == RS_OK || status == RS_NON_FINITE, "%s", rs_last_error());
  outcome.steps = fit.steps;
  outcome.failed = status == RS_NON_FINITE ? fit.steps + 1 : 0;
  outcome.parameters = test::parameters_of(trainer);
  outcome.losses.push_back(rs_trainer_loss(trainer.get()));
  double loss = 0;
  CHECK_OK(rs_trainer_evaluate(trainer.get(), own.get(), fit.target_scale, &loss));
  outcome.losses.push_back(loss);
  if (fit.average.kind != RS_NO_AVERAGE) {
    const rs_status swapped = rs_trainer_swap_average(trainer.get());
    CHECK(swapped == RS_OK || swapped == RS_INVALID_ARGUMENT, "%s", rs_last_error());
    const std::vector<float> average = test::parameters_of(trainer);
    outcome.parameters.insert(outcome.parameters.end(), average.begin(), average.end());
  }
  return outcome;
}

std::vector<float> parameters_of(const Ensemble& ensemble, int32_t model) {
  std::vector<float> parameters(static_cast<size_t>(rs_ensemble_parameter_count(ensemble.get())));
  CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), model, parameters.data(), static_cast<int64_t>(parameters.size())));
  return parameters;
}

// In one call, or in many short ones.
std::vector<Outcome> together(const Work& work, rs_dataset* data, int32_t threads, bool in_slices) {
  const Ensemble ensemble = make_ensemble(work, threads);
  const size_t models = static_cast<size_t>(work.models), epochs = static_cast<size_t>(work.fits[0].epochs);
  std::vector<double> losses(models * epochs), last(models), final_losses(models);
  std::vector<rs_fit> fits = work.fits;
  for (size_t k = 0; k < models; ++k) fits[k].losses = losses.data() + k * epochs;
  rs_ensemble_run run = {};
  run.first_rows = work.first_rows.empty() ? nullptr : work.first_rows.data();
  run.row_counts = work.row_counts.empty() ? nullptr : work.row_counts.data();
  run.seconds = in_slices ? 1e-9 : 0;
  int calls = 0;
  while (!run.done) {
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data, fits.data(), &run));
    CHECK(++calls < 100000, "%s does not end", work.name().c_str());
  }
  CHECK(!in_slices || calls > 1 || work.models < 4, "%s: %d calls", work.name().c_str(), calls);
  std::vector<int64_t> failures(models);
  CHECK_OK(rs_ensemble_failures(ensemble.get(), failures.data()));
  CHECK_OK(rs_ensemble_losses(ensemble.get(), last.data()));
  std::vector<float> scales(models * work.scale.size(), 1.0f);
  for (size_t k = 0; k < models; ++k) {
    if (fits[k].target_scale) std::copy(work.scale.begin(), work.scale.end(), scales.begin() + static_cast<long>(k * work.scale.size()));
  }
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data, run.first_rows, run.row_counts, scales.data(), final_losses.data()));
  std::vector<Outcome> outcomes(models);
  int64_t steps = 0;
  const auto append_parameters = [&](size_t k) {
    const std::vector<float> own = parameters_of(ensemble, static_cast<int32_t>(k));
    outcomes[k].parameters.insert(outcomes[k].parameters.end(), own.begin(), own.end());
  };
  for (size_t k = 0; k < models; ++k) append_parameters(k);
  CHECK_OK(rs_ensemble_take(ensemble.get(), std::vector<int32_t>(models, 1).data()));
  for (size_t k = 0; k < models; ++k) {
    Outcome& outcome = outcomes[k];
    if (fits[k].average.kind != RS_NO_AVERAGE) append_parameters(k);
    outcome.losses.assign(losses.begin() + static_cast<long>(k * epochs), losses.begin() + static_cast<long>((k + 1) * epochs));
    outcome.losses.push_back(last[k]);
    outcome.losses.push_back(final_losses[k]);
    outcome.steps = fits[k].steps;
    outcome.failed = failures[k];
    steps += fits[k].steps;
  }
  CHECK(run.steps == steps, "%lld steps, not %lld", static_cast<long long>(run.steps), static_cast<long long>(steps));
  return outcomes;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void compare(const Outcome& actual, const Outcome& expected, const std::string& name) {
  CHECK(actual.steps == expected.steps && actual.failed == expected.failed, "%s: %lld steps, stopped at %lld, not %lld and %lld",
        name.c_str(), static_cast<long long>(actual.steps), static_cast<long long>(actual.failed),
        static_cast<long long>(expected.steps), static_cast<long long>(expected.failed));
  const int64_t count = static_cast<int64_t>(expected.parameters.size());
  const int64_t i = test::first_difference(actual.parameters.data(), expected.parameters.data(), count);
  CHECK(i == count, "%s: parameter %lld is %a, not %a", name.c_str(), static_cast<long long>(i),
        actual.parameters[static_cast<size_t>(i)], expected.parameters[static_cast<size_t>(i)]);
  for (size_t e = 0; e < expected.losses.size(); ++e) {
    CHECK(same(actual.losses[e], expected.losses[e]), "%s: loss %zu is %a, not %a", name.c_str(), e, actual.losses[e], expected.losses[e]);
  }
}

int compared = 0;

void each_as_alone(const Work& work, const Dataset& data) {
  std::vector<Outcome> expected;
  for (int32_t k = 0; k < work.models; ++k) expected.push_back(alone(work, data.get(), k));
  for (int32_t threads : {1, 2, 3}) {
    for (bool in_slices : {false, true}) {
      const std::vector<Outcome> actual = together(work, data.get(), threads, in_slices);
      for (int32_t k = 0; k < work.models; ++k) {
        compare(actual[static_cast<size_t>(k)], expected[static_cast<size_t>(k)],
                work.name() + ", " + std::to_string(threads) + " threads" + (in_slices ? ", in slices" : "") + ", model " + std::to_string(k));
        ++compared;
      }
    }
  }
}

Dataset data_of(const Work& work) { return test::random_dataset(work.rows, work.sizes.front(), work.sizes.back(), 5); }

void random_ensembles() {
  Random random(1);
  const int64_t batches[] = {1, 1, 2, 3, 7, 8, 20};
  int64_t turn = 0;
  for (const std::vector<int32_t>& sizes : test::kShapes) {
    for (rs_activation activation : test::kActivations) {
      if (TEST_SANITIZED && turn % 5 != 0 && sizes.size() > 3) {
        ++turn;
        continue;
      }
      const rs_optimizer& optimizer = test::kOptimizers[static_cast<size_t>(turn % static_cast<int64_t>(test::kOptimizers.size()))].settings;
      const int32_t models = static_cast<int32_t>(std::vector<int64_t>{1, 3, 5, 16, 21, 40}[static_cast<size_t>(turn % 6)]);
      const Order order = std::vector<Order>{Order::kOwn, Order::kShared, Order::kNone}[static_cast<size_t>(turn / 2 % 3)];
      const Work work = random_work(random, sizes, activation, optimizer, models, batches[turn % 7], order, turn % 4 == 3);
      each_as_alone(work, data_of(work));
      ++turn;
    }
  }
}

// All optimizers and batches for the network that the product is about.
void small_networks() {
  Random random(2);
  for (const test::NamedOptimizer& named : test::kOptimizers) {
    for (int64_t batch : {1, 2, 7, 8}) {
      for (bool groups : {false, true}) {
        const Order order = groups ? Order::kOwn : Order::kShared;
        const Work work = random_work(random, {10, 20, 1}, RS_RELU, named.settings, 20, batch, order, groups);
        each_as_alone(work, data_of(work));
      }
    }
  }
}

// Some models have learning rates that make them overflow, each at its own step; the others do not notice.
void a_model_that_diverges_disturbs_no_other() {
  Random random(3);
  int failed = 0;
  for (int64_t batch : {1, 3, 10}) {
    for (const rs_optimizer& optimizer : {test::sgd(0.01, 0, false, 0), test::sgd(0.01, 0.9, false, 0.1)}) {
      Work work = random_work(random, {10, 20, 1}, RS_IDENTITY, optimizer, 35, batch, Order::kOwn, batch == 3);
      for (int32_t k = 0; k < work.models; k += 3) work.lr[static_cast<size_t>(k)] = std::pow(10.0, 1 + k % 7);
      const Dataset data = data_of(work);
      each_as_alone(work, data);
      for (const Outcome& outcome : together(work, data.get(), 2, false)) failed += outcome.failed > 0;
    }
  }
  CHECK(failed > 20, "%d models stopped", failed);
}

// A stopped model stays as it is in later fits and steps, until its parameters are set.
void a_stopped_model_stays() {
  Random random(4);
  Work work = random_work(random, {10, 20, 1}, RS_IDENTITY, test::sgd(0.01, 0, false, 0), 6, 1, Order::kShared, false);
  work.lr[2] = 1e6;
  const Dataset data = data_of(work);
  const Ensemble ensemble = make_ensemble(work, 2);
  std::vector<int64_t> failures(6);
  std::vector<float> stopped(241), later(241);
  const auto fit = [&] {
    std::vector<rs_fit> fits = work.fits;
    rs_ensemble_run run = {};
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    CHECK(run.done, "the fit did not end");
    CHECK_OK(rs_ensemble_failures(ensemble.get(), failures.data()));
  };
  fit();
  CHECK(failures[2] > 0 && failures[1] == 0, "stopped at %lld", static_cast<long long>(failures[2]));
  const int64_t when = failures[2];
  CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), 2, stopped.data(), 241));
  fit();
  CHECK_OK(rs_ensemble_step(ensemble.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 5));
  CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), 2, later.data(), 241));
  CHECK(failures[2] == when && test::first_difference(stopped.data(), later.data(), 241) == 241, "it moved");
  CHECK_OK(rs_ensemble_set_parameters(ensemble.get(), 2, std::vector<float>(241, 0.1f).data(), 241));
  CHECK_OK(rs_ensemble_failures(ensemble.get(), failures.data()));
  CHECK(failures[2] == 0, "it still counts as stopped");
}

void steps_and_predictions() {
  Random random(5);
  for (int64_t rows : {1, 5, 30}) {
    const Work work = random_work(random, {6, 9, 2}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 37, 4, Order::kShared, false);
    const Dataset data = data_of(work);
    const Ensemble ensemble = make_ensemble(work, 3);
    const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
    for (int step = 0; step < 5; ++step) CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, rows));
    std::vector<float> answers(static_cast<size_t>(37 * rows * 2)), own(static_cast<size_t>(rows * 2));
    std::vector<double> losses(37);
    CHECK_OK(rs_ensemble_predict(ensemble.get(), x, rows, answers.data()));
    CHECK_OK(rs_ensemble_losses(ensemble.get(), losses.data()));
    for (int32_t k = 0; k < 37; ++k) {
      const Trainer trainer = test::make_trainer(work.sizes, work.activation, work.optimizer_of(k), 1);
      CHECK_OK(rs_trainer_init(trainer.get(), work.seeds[static_cast<size_t>(k)]));
      for (int step = 0; step < 5; ++step) CHECK_OK(rs_trainer_step(trainer.get(), x, y, rows));
      CHECK_OK(rs_trainer_predict(trainer.get(), x, rows, own.data()));
      CHECK(test::first_difference(own.data(), answers.data() + k * rows * 2, rows * 2) == rows * 2, "model %d predicts otherwise", k);
      CHECK(losses[static_cast<size_t>(k)] == rs_trainer_loss(trainer.get()), "loss of model %d", k);
    }
  }
}

// ---- between epochs ----

bool equal(const std::vector<float>& a, const std::vector<float>& b) {
  return test::first_difference(a.data(), b.data(), static_cast<int64_t>(a.size())) == static_cast<int64_t>(a.size());
}

// The losses of a model's epochs on validation rows, and the parameters of one of them, which are the model's at the end.
struct Validated {
  std::vector<double> losses;
  std::vector<float> kept;
};

constexpr int64_t kKeptEpoch = 2;

Validated validated_alone(const Work& work, const Dataset& data, const Dataset& validation, int32_t k) {
  const Dataset own = cut(data.get(), work, work.first_row(k), work.rows_of(k));
  const Trainer trainer = test::make_trainer(work.sizes, work.activation, work.optimizer_of(k), 1);
  CHECK_OK(rs_trainer_init(trainer.get(), work.seeds[static_cast<size_t>(k)]));
  Validated result;
  rs_fit fit = work.fits[static_cast<size_t>(k)];
  fit.losses_capacity = 1;
  double epoch_loss = 0;
  fit.losses = &epoch_loss;
  while (!fit.done) {
    CHECK_OK(rs_trainer_fit(trainer.get(), own.get(), &fit));
    const bool swapped = rs_trainer_swap_average(trainer.get()) == RS_OK;
    double loss = 0;
    CHECK_OK(rs_trainer_evaluate(trainer.get(), validation.get(), nullptr, &loss));
    result.losses.push_back(loss);
    if (fit.epoch == kKeptEpoch) result.kept = test::parameters_of(trainer);
    if (swapped) CHECK_OK(rs_trainer_swap_average(trainer.get()));
  }
  return result;
}

// What the models exchange, how often, and whether the parameters of kKeptEpoch are kept.
struct Together {
  rs_exchange exchange = RS_EXCHANGE_NEVER;
  int64_t every = 0;
  bool keeps = true;
};

std::vector<Validated> validated_together(const Work& work, const Dataset& data, const Dataset& validation, int32_t threads, bool in_slices,
                                          const Together& together = {}) {
  const size_t models = static_cast<size_t>(work.models);
  const Ensemble ensemble = make_ensemble(work, threads);
  std::vector<rs_fit> fits = work.fits;
  for (rs_fit& fit : fits) fit.losses_capacity = 1;
  rs_ensemble_run run = {};
  run.first_rows = work.first_rows.empty() ? nullptr : work.first_rows.data();
  run.row_counts = work.row_counts.empty() ? nullptr : work.row_counts.data();
  run.seconds = in_slices ? 1e-9 : 0;
  run.exchange = together.exchange;
  run.exchange_every = together.every;
  std::vector<Validated> results(models);
  while (!run.done) {
    const int64_t epochs_before = run.epochs;
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    std::vector<int32_t> ended(models), keep(models);
    std::vector<double> losses(models, -1);
    for (size_t k = 0; k < models; ++k) {
      CHECK(fits[k].losses_count <= 1, "%lld epochs in a call", static_cast<long long>(fits[k].losses_count));
      ended[k] = together.exchange == RS_EXCHANGE_NEVER ? fits[k].losses_count > 0 : run.epochs > epochs_before;
      keep[k] = ended[k] && together.keeps && fits[k].epoch == kKeptEpoch;
    }
    CHECK_OK(rs_ensemble_validate(ensemble.get(), validation.get(), nullptr, nullptr, nullptr, ended.data(), losses.data()));
    CHECK_OK(rs_ensemble_keep(ensemble.get(), keep.data()));
    for (size_t k = 0; k < models; ++k) {
      if (ended[k]) results[k].losses.push_back(losses[k]);
      CHECK(ended[k] || losses[k] == -1, "model %zu was validated amid an epoch", k);
    }
  }
  CHECK_OK(rs_ensemble_take(ensemble.get(), std::vector<int32_t>(models, 1).data()));
  for (size_t k = 0; k < models; ++k) results[k].kept = parameters_of(ensemble, static_cast<int32_t>(k));
  return results;
}

void check_validation(const Work& work, int32_t threads) {
  const Dataset data = data_of(work), validation = test::random_dataset(29, 10, 1, 6);
  for (bool in_slices : {false, true}) {
    const std::vector<Validated> actual = validated_together(work, data, validation, threads, in_slices);
    for (int32_t k = 0; k < work.models; ++k) {
      const Validated expected = validated_alone(work, data, validation, k);
      const Validated& own = actual[static_cast<size_t>(k)];
      CHECK(own.losses == expected.losses, "%s, model %d: other losses", work.name().c_str(), k);
      const int64_t count = static_cast<int64_t>(expected.kept.size());
      CHECK(test::first_difference(own.kept.data(), expected.kept.data(), count) == count, "%s, model %d: other parameters were kept",
            work.name().c_str(), k);
    }
  }
}

void validation_is_that_of_a_model_alone() {
  Random random(11);
  const rs_optimizer adam = test::adam(RS_ADAM, 0.01, 0);
  for (int64_t batch : {1, 5, 16}) {
    for (bool groups : {false, true}) check_validation(random_work(random, {10, 20, 1}, RS_TANH, adam, 37, batch, Order::kOwn, groups), 2);
  }
  // So many that a thread takes models before it has lanes for them.
  for (int32_t threads : {1, 2}) {
    for (int64_t batch : {1, 5}) check_validation(random_work(random, {10, 20, 1}, RS_RELU, adam, 200, batch, Order::kOwn, true), threads);
  }
}

// Some models have no rows to be evaluated over, or none has any.
void the_loss_over_no_rows_is_not_a_number() {
  Random random(13);
  const Work work = random_work(random, {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 3, 4, Order::kOwn, true);
  const Dataset data = data_of(work);
  const Ensemble ensemble = make_ensemble(work, 2);
  const int64_t none[] = {0, 0, 0}, first[] = {0, work.rows, 0}, counts[] = {work.rows, 0, 1};
  double whole[3], losses[3];
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), nullptr, nullptr, nullptr, whole));
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), first, counts, nullptr, losses));
  CHECK(losses[0] == whole[0] && std::isnan(losses[1]) && losses[2] >= 0, "%g, %g, %g", losses[0], losses[1], losses[2]);
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), none, none, nullptr, losses));
  CHECK(std::isnan(losses[0]) && std::isnan(losses[1]) && std::isnan(losses[2]), "%g, %g, %g", losses[0], losses[1], losses[2]);
}

// Of models that exchange gradients, whatever the fit averages.
void one_model_is_validated_where_gradients_are_exchanged() {
  Random random(13);
  for (int64_t batch : {1, 5, 200}) {
    for (int turn = 0; turn < 5; ++turn) {
      Work work = random_work(random, {10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 3, batch, Order::kShared, false);
      work.rows = batch == 200 ? 500 : 37;
      work.lr = {0.01, 0.01, 0.01};
      const Dataset data = data_of(work), validation = test::random_dataset(29, 10, 1, 6);
      const Validated expected = validated_alone(work, data, validation, 0);
      for (bool in_slices : {false, true}) {
        for (const Validated& own : validated_together(work, data, validation, 2, in_slices, {RS_EXCHANGE_GRADIENT})) {
          CHECK(own.losses == expected.losses && equal(own.kept, expected.kept), "%s", work.name().c_str());
        }
      }
    }
  }
}

// Of many vectors, added one after the other.
std::vector<float> plain_mean(const std::vector<std::vector<float>>& vectors) {
  std::vector<float> mean(vectors[0].size());
  for (size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (const std::vector<float>& own : vectors) sum += own[i];
    mean[i] = static_cast<float>(sum / static_cast<double>(vectors.size()));
  }
  return mean;
}

// Local SGD by hand: trainers that take their own steps to each exchange and each end of an epoch, where the mean of their
// parameters, or of their averages of these, is validated. What is kept, then what there is in the end.
std::pair<Validated, std::vector<float>> averaged_by_hand(const Work& work, const Dataset& data, const Dataset& validation, int64_t every) {
  std::vector<Trainer> trainers;
  std::vector<rs_fit> fits = work.fits;
  for (int32_t k = 0; k < work.models; ++k) {
    trainers.push_back(test::make_trainer(work.sizes, work.activation, work.optimizer_of(k), 1));
    CHECK_OK(rs_trainer_init(trainers.back().get(), work.seeds[static_cast<size_t>(k)]));
  }
  const Trainer judge = test::make_trainer(work.sizes, work.activation, work.optimizer_of(0), 1);
  const int64_t count = rs_trainer_parameter_count(judge.get()), steps = (work.rows + fits[0].batch - 1) / fits[0].batch;
  const auto parameters = [](const Trainer& trainer) { return test::parameters_of(trainer); };
  const auto average = [&](const Trainer& trainer) {
    std::vector<float> own = test::parameters_of(trainer);
    int64_t averaged = 0;
    CHECK_OK(rs_trainer_get_average(trainer.get(), own.data(), count, &averaged));
    return own;
  };
  const auto mean = [&](const auto& of) {
    std::vector<std::vector<float>> all;
    for (const Trainer& trainer : trainers) all.push_back(of(trainer));
    return plain_mean(all);
  };
  Validated result;
  std::vector<float> learned;
  for (int64_t exchange = every, epoch = steps; epoch <= fits[0].epochs * steps;) {
    const int64_t limit = std::min(exchange, epoch);
    for (size_t k = 0; k < trainers.size(); ++k) {
      fits[k].step_limit = limit;
      CHECK_OK(rs_trainer_fit(trainers[k].get(), data.get(), &fits[k]));
    }
    if (limit == exchange || limit == fits[0].epochs * steps) {
      const std::vector<float> all = mean(parameters);
      for (const Trainer& trainer : trainers) CHECK_OK(rs_trainer_set_parameters(trainer.get(), all.data(), count));
    }
    if (limit == exchange) exchange += every;
    if (limit < epoch) continue;
    epoch += steps;
    learned = mean(average);
    double loss = 0;
    CHECK_OK(rs_trainer_set_parameters(judge.get(), learned.data(), count));
    CHECK_OK(rs_trainer_evaluate(judge.get(), validation.get(), nullptr, &loss));
    result.losses.push_back(loss);
    if (static_cast<int64_t>(result.losses.size()) == kKeptEpoch) result.kept = learned;
  }
  return {result, learned};
}

// Plain SGD: what sets a trainer's parameters forgets its momentum.
void the_mean_is_validated_where_parameters_are_averaged() {
  Random random(14);
  for (int64_t batch : {1, 5, 16}) {
    for (int64_t every : {1, 4, 37, 1000}) {
      for (const rs_average& average : {rs_average{}, rs_average{RS_EMA, 0.9, 0}, rs_average{RS_SWA, 0, 1}}) {
        Work work = random_work(random, {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 9, batch, Order::kOwn, false);
        for (rs_fit& fit : work.fits) fit.average = average;
        const Dataset data = data_of(work), validation = test::random_dataset(29, 10, 1, 6);
        const auto [expected, last] = averaged_by_hand(work, data, validation, every);
        for (bool in_slices : {false, true}) {
          for (bool keeps : {false, true}) {
            const Together together = {RS_EXCHANGE_AVERAGE, every, keeps};
            for (const Validated& own : validated_together(work, data, validation, 2, in_slices, together)) {
              CHECK(own.losses == expected.losses, "%s, every %lld: other losses", work.name().c_str(), static_cast<long long>(every));
              CHECK(equal(own.kept, keeps ? expected.kept : last), "%s, every %lld: other parameters", work.name().c_str(), static_cast<long long>(every));
            }
          }
        }
      }
    }
  }
}

// Each model drops units by a seed of its own.
void dropout_has_a_seed_for_each_model() {
  Random random(12);
  const Work work = random_work(random, {10, 20, 1}, RS_RELU, test::sgd(0.01, 0, false, 0), 5, 4, Order::kOwn, false);
  const Dataset data = data_of(work);
  rs_ensemble_options options = {};
  options.model.sizes = work.sizes.data();
  options.model.size_count = 3;
  options.model.activation = RS_RELU;
  options.model.optimizer = work.optimizer;
  options.model.threads = 2;
  options.model.dropout = 0.3;
  options.models = 5;
  options.lr = work.lr.data();
  const uint64_t seeds[] = {3, 1, 4, 1, 5};
  options.dropout_seeds = seeds;
  rs_ensemble* made = nullptr;
  CHECK_OK(rs_ensemble_create(&options, &made));
  const Ensemble ensemble(made);
  CHECK_OK(rs_ensemble_init(made, work.seeds.data()));
  std::vector<rs_fit> fits = work.fits;
  rs_ensemble_run run = {};
  while (!run.done) CHECK_OK(rs_ensemble_fit(made, data.get(), fits.data(), &run));
  for (int32_t k = 0; k < 5; ++k) {
    rs_trainer_options own = options.model;
    own.optimizer.lr = work.lr[static_cast<size_t>(k)];
    own.dropout_seed = seeds[k];
    rs_trainer* alone = nullptr;
    CHECK_OK(rs_trainer_create(&own, &alone));
    const Trainer trainer(alone);
    CHECK_OK(rs_trainer_init(alone, work.seeds[static_cast<size_t>(k)]));
    rs_fit fit = work.fits[static_cast<size_t>(k)];
    CHECK_OK(rs_trainer_fit(alone, data.get(), &fit));
    const std::vector<float> expected = test::parameters_of(trainer), actual = parameters_of(ensemble, k);
    CHECK(test::first_difference(actual.data(), expected.data(), 241) == 241, "model %d drops other units", k);
  }
}

// ---- exchange ----

std::vector<std::vector<float>> fit_with(const Work& work, const Dataset& data, rs_exchange exchange, int64_t every,
                                         const double* weights, int32_t threads, bool in_slices) {
  const Ensemble ensemble = make_ensemble(work, threads);
  std::vector<rs_fit> fits = work.fits;
  rs_ensemble_run run = {};
  run.first_rows = work.first_rows.empty() ? nullptr : work.first_rows.data();
  run.row_counts = work.row_counts.empty() ? nullptr : work.row_counts.data();
  run.exchange = exchange;
  run.exchange_every = every;
  run.exchange_weights = weights;
  run.seconds = in_slices ? 1e-9 : 0;
  while (!run.done) CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
  std::vector<std::vector<float>> parameters;
  for (int32_t k = 0; k < work.models; ++k) parameters.push_back(parameters_of(ensemble, k));
  return parameters;
}

// All models end as one trainer with the same batch, bit for bit.
void exchange_of_gradients_is_data_parallel_training() {
  Random random(6);
  for (int64_t batch : {1, 5, 30, 3000}) {
    Work work = random_work(random, {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 5, batch, Order::kShared, false);
    work.rows = batch == 3000 ? 4000 : 100;
    for (double& lr : work.lr) lr = 0.01;
    const Dataset data = data_of(work);
    const Outcome expected = alone(work, data.get(), 0);
    for (bool in_slices : {false, true}) {
      for (const std::vector<float>& own : fit_with(work, data, RS_EXCHANGE_GRADIENT, 0, nullptr, 3, in_slices)) {
        CHECK(equal(own, expected.parameters), "batch %lld", static_cast<long long>(batch));
      }
    }
  }
}

// Models that start alike and average after every step of plain SGD do what one does with all their rows.
void average_of_every_step_comes_close_to_data_parallel_training() {
  constexpr int32_t kModels = 4;
  constexpr int64_t kBatch = 3, kRows = 60;
  Random random(7);
  Work work = random_work(random, {10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), kModels, kBatch, Order::kNone, false);
  work.rows = kModels * kRows;
  for (int32_t k = 0; k < kModels; ++k) {
    work.lr[static_cast<size_t>(k)] = 0.01;
    work.seeds[static_cast<size_t>(k)] = 9;
    work.first_rows.push_back(k * kRows);
    work.row_counts.push_back(kRows);
    rs_fit& fit = work.fits[static_cast<size_t>(k)];
    fit.target_scale = nullptr;
    fit.schedule = {};
    fit.average = {};
    fit.lr_scale = 0;
  }
  const Dataset data = data_of(work);
  // The same rows as one trainer meets them: each step's from every model.
  const Dataset all = data_of(work);
  for (int64_t step = 0; step < kRows / kBatch; ++step) {
    for (int32_t k = 0; k < kModels; ++k) {
      const int64_t from = k * kRows + step * kBatch, to = (step * kModels + k) * kBatch;
      std::copy_n(rs_dataset_x(data.get()) + from * 10, kBatch * 10, rs_dataset_x(all.get()) + to * 10);
      std::copy_n(rs_dataset_y(data.get()) + from, kBatch, rs_dataset_y(all.get()) + to);
    }
  }
  Work one = work;
  one.models = 1;
  one.first_rows.clear();
  one.row_counts.clear();
  one.fits[0].batch = kModels * kBatch;
  const Outcome expected = alone(one, all.get(), 0);
  for (const std::vector<float>& own : fit_with(work, data, RS_EXCHANGE_AVERAGE, 1, nullptr, 2, false)) {
    double worst = 0;
    for (size_t i = 0; i < own.size(); ++i) worst = std::max(worst, std::fabs(static_cast<double>(own[i]) - expected.parameters[i]));
    CHECK(worst < 1e-6, "off by %g", worst);
  }
}

// The mean of the models after each round, taken by hand.
void average_of_rounds() {
  Random random(8);
  for (bool weighted : {false, true}) {
    Work work = random_work(random, {4, 6, 1}, RS_RELU, test::sgd(0.01, 0.9, false, 0), 5, 2, Order::kOwn, true);
    for (rs_fit& fit : work.fits) fit.average = {};  // models with other numbers of rows have none
    const int64_t every = 7;
    std::vector<double> weights;
    for (int64_t rows : work.row_counts) weights.push_back(static_cast<double>(rows));
    const Dataset data = data_of(work);
    const std::vector<std::vector<float>> actual =
        fit_with(work, data, RS_EXCHANGE_AVERAGE, every, weighted ? weights.data() : nullptr, 2, false);
    const std::vector<std::vector<float>> sliced =
        fit_with(work, data, RS_EXCHANGE_AVERAGE, every, weighted ? weights.data() : nullptr, 3, true);

    // By hand, with an ensemble whose models are averaged outside. Setting parameters would forget the momentum, so
    // this part has none.
    for (double& momentum : work.momentum) momentum = 0;
    const std::vector<std::vector<float>> plain =
        fit_with(work, data, RS_EXCHANGE_AVERAGE, every, weighted ? weights.data() : nullptr, 1, false);
    std::vector<Trainer> trainers;
    std::vector<Dataset> rows;
    std::vector<rs_fit> fits = work.fits;
    for (int32_t k = 0; k < work.models; ++k) {
      trainers.push_back(test::make_trainer(work.sizes, work.activation, work.optimizer_of(k), 1));
      CHECK_OK(rs_trainer_init(trainers.back().get(), work.seeds[static_cast<size_t>(k)]));
      rows.push_back(cut(data.get(), work, work.first_row(k), work.rows_of(k)));
    }
    const size_t count = actual[0].size();
    bool done = false;
    for (int64_t limit = every; !done; limit += every) {
      done = true;
      std::vector<double> sum(count);
      double total = 0;
      for (size_t k = 0; k < trainers.size(); ++k) {
        fits[k].step_limit = limit;
        CHECK_OK(rs_trainer_fit(trainers[k].get(), rows[k].get(), &fits[k]));
        done = done && fits[k].done;
        const std::vector<float> own = test::parameters_of(trainers[k]);
        const double weight = weighted ? weights[k] : 1;
        for (size_t i = 0; i < count; ++i) sum[i] += weight * own[i];
        total += weight;
      }
      std::vector<float> mean(count);
      for (size_t i = 0; i < count; ++i) mean[i] = static_cast<float>(sum[i] / total);
      for (const Trainer& trainer : trainers) CHECK_OK(rs_trainer_set_parameters(trainer.get(), mean.data(), static_cast<int64_t>(count)));
    }
    for (size_t k = 0; k < trainers.size(); ++k) {
      CHECK(equal(plain[k], test::parameters_of(trainers[k])), "model %zu is not the mean", k);
      CHECK(equal(actual[k], actual[0]) && equal(actual[k], sliced[k]), "model %zu: threads or slices change it", k);
    }
  }
}

// ---- bad calls ----

void refused(rs_status status, const char* word) {
  CHECK(status == RS_INVALID_ARGUMENT && std::string(rs_last_error()).find(word) != std::string::npos, "status %d: %s", status, rs_last_error());
}

void bad_calls_are_refused() {
  Random random(9);
  Work work = random_work(random, {3, 4, 2}, RS_RELU, test::sgd(0.01, 0, false, 0), 3, 1, Order::kShared, false);
  const Dataset data = data_of(work);
  const Ensemble ensemble = make_ensemble(work, 1);
  rs_ensemble_options options = {};
  rs_ensemble* made = nullptr;
  refused(rs_ensemble_create(&options, &made), "sizes");
  options.model.sizes = work.sizes.data();
  options.model.size_count = 3;
  refused(rs_ensemble_create(&options, &made), "models is 0");
  options.models = 3;
  const double lr[] = {0.1, -1, 0.1};
  options.lr = lr;
  refused(rs_ensemble_create(&options, &made), "model 1: lr");
  CHECK(made == nullptr, "an ensemble was made");

  float parameters[26] = {};
  refused(rs_ensemble_get_parameters(ensemble.get(), 3, parameters, 26), "no model 3");
  refused(rs_ensemble_set_parameters(ensemble.get(), -1, parameters, 26), "no model -1");
  refused(rs_ensemble_set_parameters(ensemble.get(), 0, parameters, 25), "25 values");
  refused(rs_ensemble_init(ensemble.get(), nullptr), "seeds");
  refused(rs_ensemble_set_learning_rates(ensemble.get(), lr), "model 1");
  refused(rs_ensemble_step(ensemble.get(), parameters, parameters, 0), "rows");

  std::vector<rs_fit> fits = work.fits;
  rs_ensemble_run run = {};
  const int64_t first[] = {0, 10, 30}, counts[] = {10, 10, 8}, empty[] = {10, 0, 7};
  run.first_rows = first;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "both");
  run.row_counts = counts;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "model 2: rows 30 to 37");
  run.row_counts = empty;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "model 1: it has 0 rows");
  run = {};
  run.exchange = RS_EXCHANGE_AVERAGE;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "exchange_every");
  const double weights[] = {1, -1, 1}, zeros[] = {0, 0, 0};
  run.exchange_every = 1;
  run.exchange_weights = weights;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "exchange_weights");
  run.exchange_weights = zeros;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "all 0");
  run = {};
  run.exchange = RS_EXCHANGE_GRADIENT;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "same optimizer");
  run.exchange = 7;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "exchange 7");
  run = {};
  run.exchange = RS_EXCHANGE_AVERAGE;
  run.exchange_every = 1;
  for (rs_fit& fit : fits) fit.average = {RS_EMA, 0.5, 0};
  const int64_t starts[] = {0, 10, 20};
  run.first_rows = starts;
  run.row_counts = counts;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "model 2 has other rows");
  run.first_rows = run.row_counts = nullptr;
  fits[1].losses_capacity = 1;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "model 1 has other rows, batch, epochs, losses_capacity");
  for (rs_fit& fit : fits) fit.losses_capacity = 2;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "losses_capacity is 2");
  for (rs_fit& fit : fits) fit.losses_capacity = -1;
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "losses_capacity is -1");
  for (rs_fit& fit : fits) fit.losses_capacity = 0;
  double losses[3];
  refused(rs_ensemble_mean_loss(ensemble.get(), nullptr, losses), "losses");
  CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
  const int32_t which[] = {1, 1, 1};
  refused(rs_ensemble_validate(ensemble.get(), data.get(), starts, counts, nullptr, which, losses), "validated as one");
  refused(rs_ensemble_validate(ensemble.get(), data.get(), nullptr, nullptr, nullptr, nullptr, losses), "which");
  refused(rs_ensemble_keep(ensemble.get(), nullptr), "which");
  refused(rs_ensemble_take(ensemble.get(), nullptr), "which");
  fits[1].losses_capacity = 0;
  fits[1].batch = 0;
  run = {};
  refused(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run), "batch");
}

}  // namespace

int main() {
  small_networks();
  random_ensembles();
  a_model_that_diverges_disturbs_no_other();
  a_stopped_model_stays();
  steps_and_predictions();
  validation_is_that_of_a_model_alone();
  the_loss_over_no_rows_is_not_a_number();
  one_model_is_validated_where_gradients_are_exchanged();
  the_mean_is_validated_where_parameters_are_averaged();
  dropout_has_a_seed_for_each_model();
  exchange_of_gradients_is_data_parallel_training();
  average_of_every_step_comes_close_to_data_parallel_training();
  average_of_rounds();
  bad_calls_are_refused();
  std::printf("%d comparisons with a model alone on %s\n", compared, rs_cpu_simd());
  return 0;
}
