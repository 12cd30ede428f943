// Ensembles that exchange across ranks: the same bits as one ensemble of all models, however they are shared out; stops
// that all agree on; a rank that is lost.
#include <cstdio>
#include <string>

#include "bits.h"
#include "ensemble_ranks.h"
#include "optimizers.h"

using test::Communicators;
using test::Dataset;
using test::Ensemble;
using test::on_ranks;

namespace {

constexpr int32_t kModels = 8;
constexpr int64_t kRows = 60;
const std::vector<int32_t> kSizes = {10, 20, 1};

// Models [begin, end) of all: their seeds, orders, rates and rows are those that they have together.
struct Part {
  int32_t begin, end;
  rs_optimizer optimizer;
  rs_exchange exchange;
  int64_t every, batch;
  bool weighted, slices;
  double diverging_lr = 0;  // of model 5

  size_t count() const { return static_cast<size_t>(end - begin); }
};

struct Outcome {
  std::vector<std::vector<float>> parameters;
  std::vector<std::vector<double>> losses;
  std::vector<int64_t> failures;
};

Ensemble make(const Part& part) {
  std::vector<double> lr;
  std::vector<uint64_t> seeds;
  for (int32_t k = part.begin; k < part.end; ++k) {
    const double own = k == 5 && part.diverging_lr > 0 ? part.diverging_lr : 0.001 * (k + 1);
    lr.push_back(part.exchange == RS_EXCHANGE_GRADIENT ? 0.01 : own);
    seeds.push_back(static_cast<uint64_t>(k));
  }
  return test::make_ensemble(kSizes, RS_TANH, part.optimizer, lr, seeds);
}

Outcome fit(const Part& part, const Dataset& data, rs_communicator* communicator) {
  constexpr int64_t kEpochs = 5;
  const Ensemble ensemble = make(part);
  if (communicator) CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), communicator));
  Outcome outcome;
  outcome.losses.assign(part.count(), std::vector<double>(kEpochs));
  std::vector<rs_fit> fits(part.count());
  std::vector<int64_t> first, counts;
  std::vector<double> weights;
  const bool gradient = part.exchange == RS_EXCHANGE_GRADIENT;
  for (size_t i = 0; i < part.count(); ++i) {
    const int32_t k = part.begin + static_cast<int32_t>(i);
    fits[i].batch = part.batch;
    fits[i].epochs = kEpochs;
    fits[i].shuffle = 1;
    fits[i].seed = gradient ? 3 : static_cast<uint64_t>(100 + k);
    fits[i].losses = outcome.losses[i].data();
    first.push_back(5 * k);
    counts.push_back(10 + 2 * k);  // so that some are done long before others
    weights.push_back(static_cast<double>(counts.back()));
  }
  rs_ensemble_run run = {};
  run.exchange = part.exchange;
  run.exchange_every = part.every;
  if (!gradient) {
    run.first_rows = first.data();
    run.row_counts = counts.data();
  }
  if (part.weighted) run.exchange_weights = weights.data();
  run.seconds = part.slices ? 1e-6 * (1 + part.begin) : 0;
  while (!run.done) {
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    CHECK(!run.stopped, "nobody stopped it");
  }
  outcome.failures.resize(part.count());
  CHECK_OK(rs_ensemble_failures(ensemble.get(), outcome.failures.data()));
  for (size_t i = 0; i < part.count(); ++i) {
    outcome.parameters.emplace_back(241);
    CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), static_cast<int32_t>(i), outcome.parameters.back().data(), 241));
  }
  // A communicator has no part in what is not an exchange.
  CHECK_OK(rs_ensemble_step(ensemble.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), kRows));
  return outcome;
}

int compared = 0;

void same_bits(Part whole, const std::string& name) {
  whole.begin = 0;
  whole.end = kModels;
  const Dataset data = test::random_dataset(whole.exchange == RS_EXCHANGE_GRADIENT ? 10 * kRows : kRows, 10, 1, 5);
  const Outcome expected = fit(whole, data, nullptr);
  CHECK((expected.failures[5] > 0) == (whole.diverging_lr > 0), "model 5 stopped at %lld", static_cast<long long>(expected.failures[5]));
  for (int size : {1, 2, 3, 5, 8}) {
    const Communicators ranks(size);
    on_ranks(size, [&](int r) {
      Part own = whole;
      own.begin = kModels * r / size;
      own.end = kModels * (r + 1) / size;
      const Outcome actual = fit(own, data, ranks[r]);
      for (size_t i = 0; i < own.count(); ++i) {
        const size_t k = static_cast<size_t>(own.begin) + i;
        CHECK(test::first_difference(actual.parameters[i].data(), expected.parameters[k].data(), 241) == 241,
              "%s: model %zu has other bits on rank %d of %d", name.c_str(), k, r, size);
        CHECK(actual.losses[i] == expected.losses[k], "%s: model %zu has other losses on rank %d of %d", name.c_str(), k, r, size);
        CHECK(actual.failures[i] == expected.failures[k], "%s: model %zu failed otherwise", name.c_str(), k);
      }
    });
    compared += kModels;
  }
}

void averages_and_gradients() {
  for (bool slices : {false, true}) {
    for (int64_t every : {1, 7, 1000}) {
      for (bool weighted : {false, true}) {
        same_bits({0, 0, test::sgd(0, 0.9, false, 0), RS_EXCHANGE_AVERAGE, every, 3, weighted, slices}, "average:" + std::to_string(every));
      }
    }
    for (int64_t batch : {1, 7, 500}) {
      same_bits({0, 0, test::adam(RS_ADAM, 0.01, 0), RS_EXCHANGE_GRADIENT, 0, batch, false, slices}, "gradient, batch " + std::to_string(batch));
    }
  }
}

// Model 5 stops; the others' mean goes on without it.
void a_model_that_diverges_has_no_part() {
  Part part = {0, 0, test::sgd(0, 0, false, 0), RS_EXCHANGE_AVERAGE, 4, 1, false, false};
  part.diverging_lr = 1e30;
  same_bits(part, "with a model that diverges");
}

// ---- between epochs ----

constexpr int64_t kEpochs = 6, kEndsAfter = 4;

// What each rank sees at the ends of epochs, and its models' parameters in the end.
struct Validated {
  std::vector<double> losses, mean_losses;
  std::vector<std::vector<float>> parameters;
};

// Keeps the best weights, if `keeps`, and ends early; on ranks at different times of their slices.
Validated fit_validated(const Part& part, const Dataset& data, const Dataset& validation, rs_communicator* communicator, bool keeps) {
  const Ensemble ensemble = make(part);
  if (communicator) CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), communicator));
  std::vector<rs_fit> fits(part.count());
  std::vector<std::vector<double>> losses(part.count(), std::vector<double>(kEpochs));
  for (size_t i = 0; i < part.count(); ++i) {
    fits[i].batch = part.batch;
    fits[i].epochs = kEpochs;
    fits[i].shuffle = 1;
    fits[i].seed = part.exchange == RS_EXCHANGE_GRADIENT ? 3 : static_cast<uint64_t>(part.begin) + i;
    fits[i].losses = losses[i].data();
    fits[i].losses_capacity = 1;
    fits[i].average = {RS_EMA, 0.8, 0};
  }
  rs_ensemble_run run = {};
  run.exchange = part.exchange;
  run.exchange_every = part.every;
  run.seconds = part.slices ? 1e-6 * (1 + part.begin) : 0;
  Validated seen;
  double best = 1e300;
  while (!run.done) {
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    if (run.epochs == static_cast<int64_t>(seen.losses.size())) continue;
    std::vector<double> own(part.count()), of_epoch;
    std::vector<int32_t> all(part.count(), 1);
    for (const std::vector<double>& model : losses) of_epoch.push_back(model[static_cast<size_t>(run.epochs - 1)]);
    CHECK_OK(rs_ensemble_validate(ensemble.get(), validation.get(), nullptr, nullptr, nullptr, all.data(), own.data()));
    double mean = of_epoch[0];
    if (part.exchange == RS_EXCHANGE_AVERAGE) CHECK_OK(rs_ensemble_mean_loss(ensemble.get(), of_epoch.data(), &mean));
    seen.losses.push_back(own[0]);
    seen.mean_losses.push_back(mean);
    if (keeps && own[0] < best) {
      best = own[0];
      CHECK_OK(rs_ensemble_keep(ensemble.get(), all.data()));
    }
    for (rs_fit& fit : fits) fit.epochs = run.epochs == kEndsAfter ? kEndsAfter : fit.epochs;
  }
  std::vector<int64_t> failures(part.count());
  CHECK_OK(rs_ensemble_failures(ensemble.get(), failures.data()));
  std::vector<int32_t> sound;
  for (int64_t failure : failures) sound.push_back(failure == 0);
  CHECK_OK(rs_ensemble_take(ensemble.get(), sound.data()));
  for (size_t i = 0; i < part.count(); ++i) {
    seen.parameters.emplace_back(241);
    CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), static_cast<int32_t>(i), seen.parameters.back().data(), 241));
  }
  return seen;
}

void same_when_validated(Part whole, bool keeps, const std::string& name, size_t epochs = kEndsAfter) {
  whole.begin = 0;
  whole.end = kModels;
  const Dataset data = test::random_dataset(whole.exchange == RS_EXCHANGE_GRADIENT ? 10 * kRows : kRows, 10, 1, 5);
  const Dataset validation = test::random_dataset(33, 10, 1, 6);
  const Validated expected = fit_validated(whole, data, validation, nullptr, keeps);
  CHECK(expected.losses.size() == epochs, "%s: it ended after %zu epochs", name.c_str(), expected.losses.size());
  for (int size : {1, 2, 3, 8}) {
    const Communicators ranks(size);
    on_ranks(size, [&](int r) {
      Part own = whole;
      own.begin = kModels * r / size;
      own.end = kModels * (r + 1) / size;
      const Validated actual = fit_validated(own, data, validation, ranks[r], keeps);
      CHECK(actual.losses == expected.losses, "%s: other validation losses on rank %d of %d", name.c_str(), r, size);
      CHECK(actual.mean_losses == expected.mean_losses, "%s: other means of losses on rank %d of %d", name.c_str(), r, size);
      for (size_t i = 0; i < own.count(); ++i) {
        const size_t k = static_cast<size_t>(own.begin) + i;
        CHECK(test::first_difference(actual.parameters[i].data(), expected.parameters[k].data(), 241) == 241,
              "%s: model %zu has other bits on rank %d of %d", name.c_str(), k, r, size);
      }
    });
    compared += kModels;
  }
}

// Of eight ranks one has no model left once model 5 has stopped. It takes all others with it if they exchange before that.
void ranks_validate_as_one() {
  for (bool slices : {false, true}) {
    for (bool keeps : {false, true}) {
      for (int64_t every : {1, 7, 1000}) {
        Part part = {0, 0, test::sgd(0, 0.9, false, 0), RS_EXCHANGE_AVERAGE, every, 7, false, slices};
        same_when_validated(part, keeps, "average:" + std::to_string(every));
        part.diverging_lr = 1e30;
        same_when_validated(part, keeps, "average:" + std::to_string(every) + " without model 5", every == 1 ? 0 : kEndsAfter);
      }
      for (int64_t batch : {7, 500}) {
        const Part part = {0, 0, test::adam(RS_ADAM, 0.01, 0), RS_EXCHANGE_GRADIENT, 0, batch, false, slices};
        same_when_validated(part, keeps, "gradient, batch " + std::to_string(batch));
      }
    }
  }
}

// ---- ends ----

// One rank asks for an end, all come to it after the same exchange; where they pause after epochs, too.
void all_stop_together() {
  const Dataset data = test::random_dataset(kRows, 10, 1, 5);
  for (auto [exchange, pauses] : {std::pair{RS_EXCHANGE_AVERAGE, false}, {RS_EXCHANGE_AVERAGE, true}, {RS_EXCHANGE_GRADIENT, false}, {RS_EXCHANGE_GRADIENT, true}}) {
    const Communicators ranks(3);
    std::vector<int64_t> exchanges(3), steps(3), epochs(3);
    on_ranks(3, [&, exchange = exchange, pauses = pauses](int r) {
      const Part part = {2 * r, 2 * r + 2, test::sgd(0, 0, false, 0), exchange, 5, 2, false, false};
      const Ensemble ensemble = make(part);
      CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), ranks[r]));
      rs_fit fits[2] = {};
      for (rs_fit& fit : fits) {
        fit.batch = 2;
        fit.epochs = int64_t{1} << 40;
        fit.losses_capacity = pauses;
      }
      rs_ensemble_run run = {};
      run.exchange = exchange;
      run.exchange_every = 5;
      run.seconds = 0.002;
      for (int call = 0; !run.stopped; ++call) {
        if (r == 1 && call == 10) rs_ensemble_stop(ensemble.get(), 1);
        CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits, &run));
        CHECK(!run.done && call < 100000, "it went on to the end");
      }
      exchanges[static_cast<size_t>(r)] = run.exchanges;
      steps[static_cast<size_t>(r)] = fits[0].steps;
      epochs[static_cast<size_t>(r)] = run.epochs;
    });
    CHECK(epochs[0] == epochs[1] && epochs[0] == epochs[2], "ranks stopped in different epochs");
    CHECK(exchanges[0] == exchanges[1] && exchanges[0] == exchanges[2], "ranks stopped after different exchanges");
    CHECK(exchange == RS_EXCHANGE_AVERAGE || (steps[0] == steps[1] && steps[0] == steps[2]), "ranks stopped after different steps");
  }
}

// A rank that does not come is named within the deadline.
void a_rank_that_does_not_come_is_named() {
  const Dataset data = test::random_dataset(kRows, 10, 1, 5);
  const Communicators ranks(3, 0.3);
  on_ranks(2, [&](int r) {
    const Part part = {2 * r, 2 * r + 2, test::sgd(0, 0, false, 0), RS_EXCHANGE_AVERAGE, 5, 2, false, false};
    const Ensemble ensemble = make(part);
    CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), ranks[r]));
    rs_fit fits[2] = {};
    for (rs_fit& fit : fits) {
      fit.batch = 2;
      fit.epochs = 3;
    }
    rs_ensemble_run run = {};
    run.exchange = RS_EXCHANGE_AVERAGE;
    run.exchange_every = 5;
    const rs_status status = rs_ensemble_fit(ensemble.get(), data.get(), fits, &run);
    CHECK(status == RS_COLLECTIVE_TIMEOUT && rs_last_error_rank() == 2, "status %d, rank %d: %s", status, rs_last_error_rank(), rs_last_error());
  });
}

// Nor is one waited for without end that does not validate with the others.
void a_rank_that_does_not_validate_is_named() {
  const Dataset data = test::random_dataset(kRows, 10, 1, 5);
  const Communicators ranks(3, 0.3);
  on_ranks(3, [&](int r) {
    const Ensemble ensemble = make({2 * r, 2 * r + 2, test::sgd(0, 0, false, 0), RS_EXCHANGE_AVERAGE, 5, 2, false, false});
    CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), ranks[r]));
    rs_fit fits[2] = {};
    for (rs_fit& fit : fits) {
      fit.batch = 2;
      fit.epochs = 3;
      fit.losses_capacity = 1;
    }
    rs_ensemble_run run = {};
    run.exchange = RS_EXCHANGE_AVERAGE;
    run.exchange_every = 5;
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits, &run));
    CHECK(run.epochs == 1 && !run.done, "it paused after %lld epochs", static_cast<long long>(run.epochs));
    if (r == 2) return;
    const int32_t which[] = {1, 1};
    double losses[2];
    const rs_status status = rs_ensemble_validate(ensemble.get(), data.get(), nullptr, nullptr, nullptr, which, losses);
    CHECK(status == RS_COLLECTIVE_TIMEOUT && rs_last_error_rank() == 2, "status %d, rank %d: %s", status, rs_last_error_rank(), rs_last_error());
  });
}

}  // namespace

int main() {
  averages_and_gradients();
  a_model_that_diverges_has_no_part();
  ranks_validate_as_one();
  all_stop_together();
  a_rank_that_does_not_come_is_named();
  a_rank_that_does_not_validate_is_named();
  std::printf("%d models compared with those of one process\n", compared);
  return 0;
}
