// Ensembles of the CUDA engine that exchange: the mean is the CPU engine's; models that exchange gradients have the bits of a
// trainer alone on the GPU; all of it has the same bits on any number of ranks, in slices, and where it is decided between two
// epochs; ranks stop together; and what a GPU cannot do is refused in a line.
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cuda_engine.h"
#include "ensemble_ranks.h"

using test::Communicators;
using test::Dataset;
using test::Ensemble;
using test::on_ranks;
using test::Trainer;

namespace {

constexpr int32_t kModels = 6, kDiverging = 4;
constexpr int64_t kRows = 40, kParameters = 10 * 20 + 20 + 20 + 1;
const std::vector<int32_t> kSizes = {10, 20, 1};

using Parameters = std::vector<float>;

// Models [begin, end) of all, as they are together.
struct Part {
  int32_t begin, end;
  rs_optimizer optimizer;  // models that exchange averages have learning rates of their own
  rs_exchange exchange;
  int64_t every, batch, epochs;
  bool slices = false, weighted = false, pauses = false, diverges = false;
  rs_schedule schedule = {};
  rs_average averages = {};

  size_t count() const { return static_cast<size_t>(end - begin); }
  double lr(int32_t k) const {
    if (exchange == RS_EXCHANGE_GRADIENT) return optimizer.lr;
    return diverges && k == kDiverging ? 1e30 : optimizer.lr * (k + 1);
  }
  Part of_rank(int rank, int size) const {
    Part own = *this;
    own.begin = kModels * rank / size;
    own.end = kModels * (rank + 1) / size;
    return own;
  }
};

const rs_optimizer kPlain = test::sgd(0.004, 0, false, 0), kMomentum = test::sgd(0.002, 0.9, false, 0.01),
                   kAdam = test::adam(RS_ADAM, 0.01, 0.01);

uint64_t seed_of(int32_t k) { return 40 + static_cast<uint64_t>(k); }

Ensemble make(const Part& part, rs_engine engine = RS_ENGINE_CUDA) {
  std::vector<double> lr;
  std::vector<uint64_t> seeds;
  for (int32_t k = part.begin; k < part.end; ++k) {
    lr.push_back(part.lr(k));
    seeds.push_back(seed_of(k));
  }
  return test::make_ensemble(kSizes, RS_TANH, part.optimizer, lr, seeds, engine);
}

Parameters parameters_of(const Ensemble& ensemble, int32_t k) {
  Parameters parameters(static_cast<size_t>(kParameters));
  CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), k, parameters.data(), kParameters));
  return parameters;
}

std::vector<Parameters> all_parameters(const Ensemble& ensemble) {
  std::vector<Parameters> all;
  for (int32_t k = 0; k < rs_ensemble_models(ensemble.get()); ++k) all.push_back(parameters_of(ensemble, k));
  return all;
}

// One call of fit after the other, with all that they need.
struct Fitting {
  Fitting(const Part& part, const Dataset& data) : part(part), data(data), losses(part.count()) {
    for (size_t i = 0; i < part.count(); ++i) {
      const int32_t k = part.begin + static_cast<int32_t>(i);
      losses[i].resize(static_cast<size_t>(part.epochs));
      rs_fit fit = {};
      fit.batch = part.batch;
      fit.epochs = part.epochs;
      fit.shuffle = 1;
      fit.seed = part.exchange == RS_EXCHANGE_GRADIENT ? 7 : 100 + static_cast<uint64_t>(k);
      fit.losses = losses[i].data();
      fit.losses_capacity = part.pauses;
      fit.schedule = part.schedule;
      fit.average = part.averages;
      fits.push_back(fit);
      weights.push_back(k % 2 == 0 ? 0.1 : 3);
    }
    run.exchange = part.exchange;
    run.exchange_every = part.every;
    run.seconds = part.slices ? 1e-9 : 0;
    if (part.weighted) run.exchange_weights = weights.data();
  }

  rs_status go_on(const Ensemble& ensemble) { return rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run); }

  // To the end; with a row range for each model so that some are done long before others, if they have `rows` of their own.
  void finish(const Ensemble& ensemble, bool rows = false) {
    for (int32_t k = part.begin; k < part.end && rows; ++k) {
      first_rows.push_back(k);
      row_counts.push_back(12 + 4 * k);
    }
    if (rows) run.first_rows = first_rows.data(), run.row_counts = row_counts.data();
    while (!run.done) {
      CHECK_OK(go_on(ensemble));
      CHECK(!run.stopped, "nobody stopped it");
    }
  }

  const Part part;
  const Dataset& data;
  std::vector<std::vector<double>> losses;
  std::vector<double> weights;
  std::vector<int64_t> first_rows, row_counts;
  std::vector<rs_fit> fits;
  rs_ensemble_run run = {};
};

// Of these parameters, as the CPU engine takes it.
Parameters mean_of(const std::vector<Parameters>& all, const Dataset& data, bool weighted = false) {
  const rs_optimizer still = test::sgd(0, 0, false, 0);
  const Part part = {0, static_cast<int32_t>(all.size()), still, RS_EXCHANGE_AVERAGE, 1, kRows, 1, false, weighted};
  const Ensemble ensemble = make(part, RS_ENGINE_CPU);
  for (size_t k = 0; k < all.size(); ++k) {
    CHECK_OK(rs_ensemble_set_parameters(ensemble.get(), static_cast<int32_t>(k), all[k].data(), kParameters));
  }
  Fitting(part, data).finish(ensemble);
  return parameters_of(ensemble, 0);
}

// ---- averages ----

void the_mean_is_that_of_the_cpu(const Dataset& data) {
  for (bool weighted : {false, true}) {
    const Part part = {0, kModels, test::sgd(0, 0, false, 0), RS_EXCHANGE_AVERAGE, 2, 16, 1, false, weighted};
    const Ensemble ensemble = make(part);
    const std::vector<Parameters> before = all_parameters(ensemble);
    const Parameters expected = mean_of(before, data, weighted);
    Fitting fitting(part, data);
    for (size_t i = 0; i < expected.size(); ++i) {
      double sum = 0, total = 0;
      for (size_t k = 0; k < kModels; ++k) {
        const double weight = weighted ? fitting.weights[k] : 1;
        sum += weight * before[k][i];
        total += weight;
      }
      CHECK(std::fabs(expected[i] - sum / total) < 1e-7, "parameter %zu is %g, not %g", i, static_cast<double>(expected[i]), sum / total);
    }
    fitting.finish(ensemble);
    for (const Parameters& own : all_parameters(ensemble)) CHECK(own == expected, "another mean, weighted %d", weighted);
  }
}

struct Outcome {
  std::vector<Parameters> parameters;
  std::vector<std::vector<double>> losses;
  std::vector<int64_t> failures;
};

Outcome average(const Part& part, const Dataset& data, rs_communicator* communicator) {
  const Ensemble ensemble = make(part);
  CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), communicator));
  Fitting fitting(part, data);
  fitting.finish(ensemble, true);
  Outcome outcome = {all_parameters(ensemble), fitting.losses, std::vector<int64_t>(part.count())};
  CHECK_OK(rs_ensemble_failures(ensemble.get(), outcome.failures.data()));
  return outcome;
}

void ranks_change_no_average(Part whole, const Dataset& data) {
  const Outcome expected = average(whole, data, nullptr);
  for (size_t k = 0; k < kModels; ++k) {
    const bool failed = whole.diverges && k == kDiverging;
    CHECK((expected.failures[k] > 0) == failed, "model %zu failed at %lld", k, static_cast<long long>(expected.failures[k]));
    CHECK((expected.parameters[k] == expected.parameters[0]) != failed, "model %zu and the mean", k);
  }
  for (int size : {2, 6}) {
    whole.slices = size == 2;
    const Communicators ranks(size);
    on_ranks(size, [&](int r) {
      const Part own = whole.of_rank(r, size);
      const Outcome actual = average(own, data, ranks[r]);
      for (size_t i = 0; i < own.count(); ++i) {
        const size_t k = static_cast<size_t>(own.begin) + i;
        CHECK(actual.parameters[i] == expected.parameters[k], "model %zu has other bits on rank %d of %d", k, r, size);
        CHECK(actual.losses[i] == expected.losses[k], "model %zu has other losses on rank %d of %d", k, r, size);
        CHECK(actual.failures[i] == expected.failures[k], "model %zu failed otherwise on rank %d of %d", k, r, size);
      }
    });
  }
}

// ---- gradients ----

struct AsOne {
  Parameters parameters;
  std::vector<double> losses, validation;
  double last_loss;
  bool operator==(const AsOne& other) const {
    return parameters == other.parameters && losses == other.losses && validation == other.validation && last_loss == other.last_loss;
  }
};

// A trainer that was begun before the fit, and takes a step after it.
AsOne alone(const Part& part, const Dataset& data, const Dataset& validation) {
  const Trainer trainer = test::make_trainer(kSizes, RS_TANH, part.optimizer, 1, RS_ENGINE_CUDA);
  const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
  CHECK_OK(rs_trainer_init(trainer.get(), seed_of(0)));
  for (int i = 0; i < 2; ++i) CHECK_OK(rs_trainer_step(trainer.get(), x, y, 5));
  AsOne left = {};
  left.losses.resize(static_cast<size_t>(part.epochs));
  rs_fit fit = Fitting(part, data).fits[0];
  for (double& loss : left.losses) {
    fit.losses = &loss;
    fit.losses_capacity = 1;
    double validated;
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    const bool averages = !test::average_of(trainer).empty();
    if (averages) CHECK_OK(rs_trainer_swap_average(trainer.get()));
    CHECK_OK(rs_trainer_evaluate(trainer.get(), validation.get(), nullptr, &validated));
    if (averages) CHECK_OK(rs_trainer_swap_average(trainer.get()));
    left.validation.push_back(validated);
  }
  left.last_loss = rs_trainer_loss(trainer.get());
  CHECK_OK(rs_trainer_step(trainer.get(), x, y, 5));
  left.parameters = test::parameters_of(trainer);
  return left;
}

// All models of a rank, which are one.
AsOne together(const Part& part, const Dataset& data, const Dataset& validation, rs_communicator* communicator) {
  const Ensemble ensemble = make(part);
  CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), communicator));
  const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
  for (int i = 0; i < 2; ++i) CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, 5));
  Fitting fitting(part, data);
  AsOne left = {};
  while (!fitting.run.done) {
    CHECK_OK(fitting.go_on(ensemble));
    if (fitting.run.epochs == static_cast<int64_t>(left.validation.size())) continue;
    std::vector<int32_t> which(part.count(), 1);
    std::vector<double> own(part.count());
    CHECK_OK(rs_ensemble_validate(ensemble.get(), validation.get(), nullptr, nullptr, nullptr, which.data(), own.data()));
    left.validation.push_back(own.back());
  }
  left.losses = fitting.losses.back();
  std::vector<double> last(part.count());
  CHECK_OK(rs_ensemble_losses(ensemble.get(), last.data()));
  left.last_loss = last.back();
  CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, 5));
  for (const Parameters& own : all_parameters(ensemble)) CHECK(own == parameters_of(ensemble, 0), "models are not alike");
  left.parameters = parameters_of(ensemble, 0);
  return left;
}

void exchanged_gradients_are_one_trainers(Part whole, const Dataset& data, const Dataset& validation) {
  whole.pauses = true;
  const AsOne expected = alone(whole, data, validation);
  CHECK(together(whole, data, validation, nullptr) == expected, "batch %d: not a trainer's bits", static_cast<int>(whole.batch));
  whole.slices = true;
  const Communicators ranks(2);
  on_ranks(2, [&](int r) {
    CHECK(together(whole.of_rank(r, 2), data, validation, ranks[r]) == expected, "batch %d: other bits on rank %d",
          static_cast<int>(whole.batch), r);
  });
}

// ---- between epochs ----

// What all see at the ends of epochs, and what they end with.
struct Seen {
  std::vector<double> validation, mean_losses;
  Parameters kept;
};

// Keeps what there is after the second epoch, if `keeps`, and ends after the third.
Seen validated(const Part& part, const Dataset& data, const Dataset& validation, rs_communicator* communicator, bool keeps) {
  const Ensemble ensemble = make(part);
  const Trainer trainer = test::make_trainer(kSizes, RS_TANH, kPlain, 1, RS_ENGINE_CUDA);
  CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), communicator));
  const std::vector<int32_t> all(part.count(), 1);
  Fitting fitting(part, data);
  Seen seen;
  Parameters mean;
  while (!fitting.run.done) {
    CHECK_OK(fitting.go_on(ensemble));
    const size_t ended = static_cast<size_t>(fitting.run.epochs);
    if (ended == seen.validation.size()) continue;
    std::vector<double> own(part.count()), of_epoch;
    for (const std::vector<double>& model : fitting.losses) of_epoch.push_back(model[ended - 1]);
    double loss, mean_loss;
    CHECK_OK(rs_ensemble_validate(ensemble.get(), validation.get(), nullptr, nullptr, nullptr, all.data(), own.data()));
    CHECK_OK(rs_ensemble_mean_loss(ensemble.get(), of_epoch.data(), &mean_loss));
    if (!communicator) {
      const Parameters latest = mean_of(all_parameters(ensemble), data);
      CHECK_OK(rs_trainer_set_parameters(trainer.get(), latest.data(), kParameters));
      CHECK_OK(rs_trainer_evaluate(trainer.get(), validation.get(), nullptr, &loss));
      const bool is_mean = part.averages.kind == RS_NO_AVERAGE;
      // A first average is the parameters.
      CHECK((own[0] == loss) == (is_mean || (ended == 1 && part.averages.kind == RS_SWA)), "it is not the mean that is validated: %.17g, not %.17g", own[0], loss);
      if (!keeps || ended == 2) mean = latest;
    }
    seen.validation.push_back(own[0]);
    seen.mean_losses.push_back(mean_loss);
    if (keeps && ended == 2) CHECK_OK(rs_ensemble_keep(ensemble.get(), all.data()));
    for (rs_fit& fit : fitting.fits) fit.epochs = ended == 3 ? 3 : fit.epochs;
  }
  CHECK_OK(rs_ensemble_take(ensemble.get(), all.data()));
  seen.kept = parameters_of(ensemble, 0);
  if (part.averages.kind == RS_NO_AVERAGE) {
    CHECK(communicator || seen.kept == mean, "it ends with something else than the mean");
  } else {
    double loss;
    CHECK_OK(rs_trainer_set_parameters(trainer.get(), seen.kept.data(), kParameters));
    CHECK_OK(rs_trainer_evaluate(trainer.get(), validation.get(), nullptr, &loss));
    CHECK(loss == seen.validation[keeps ? 1 : 2], "it ends with something else than was validated");
  }
  for (const Parameters& own : all_parameters(ensemble)) CHECK(own == seen.kept, "models end apart");
  // What was kept begins anew.
  if (keeps) {
    const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
    const Trainer fresh = test::make_trainer(kSizes, RS_TANH, part.optimizer, 1, RS_ENGINE_CUDA);
    CHECK_OK(rs_trainer_set_parameters(fresh.get(), seen.kept.data(), kParameters));
    CHECK_OK(rs_trainer_set_learning_rate(fresh.get(), part.lr(part.begin)));
    CHECK_OK(rs_trainer_step(fresh.get(), x, y, 3));
    CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, 3));
    CHECK(parameters_of(ensemble, 0) == test::parameters_of(fresh), "what was kept does not begin anew");
  }
  return seen;
}

void ranks_validate_as_one(const Dataset& data, const Dataset& validation, const rs_average& averages) {
  for (bool keeps : {false, true}) {
    Part whole = {0, kModels, kMomentum, RS_EXCHANGE_AVERAGE, keeps ? 2 : 1000, 16, 5};
    whole.pauses = true;
    whole.averages = averages;
    const Seen expected = validated(whole, data, validation, nullptr, keeps);
    CHECK(expected.validation.size() == 3, "it ended after %zu epochs", expected.validation.size());
    whole.slices = keeps;
    const Communicators ranks(2);
    on_ranks(2, [&](int r) {
      const Seen actual = validated(whole.of_rank(r, 2), data, validation, ranks[r], keeps);
      CHECK(actual.validation == expected.validation, "other validation losses on rank %d", r);
      CHECK(actual.mean_losses == expected.mean_losses, "other means of losses on rank %d", r);
      CHECK(actual.kept == expected.kept, "rank %d ends with other bits", r);
    });
  }
}

// ---- ends ----

// One rank asks for an end; both come to it after the same exchange, or step: of several blocks, so that ranks meet in each.
void ranks_stop_together(const Dataset& data) {
  for (rs_exchange exchange : {RS_EXCHANGE_AVERAGE, RS_EXCHANGE_GRADIENT}) {
    const int64_t batch = exchange == RS_EXCHANGE_AVERAGE ? 130 : 1100;
    const Communicators ranks(2);
    std::vector<Fitting> fittings;
    for (int r = 0; r < 2; ++r) {
      fittings.emplace_back(Part{r, r + 1, kPlain, exchange, 5, batch, 1}, data);
      fittings.back().fits[0].losses = nullptr;
      fittings.back().fits[0].epochs = int64_t{1} << 40;
      fittings.back().run.seconds = 1e-3;
    }
    on_ranks(2, [&](int r) {
      Fitting& own = fittings[static_cast<size_t>(r)];
      const Ensemble ensemble = make(own.part);
      CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), ranks[r]));
      for (int call = 0; !own.run.stopped; ++call) {
        if (r == 1 && call == 3) rs_ensemble_stop(ensemble.get(), 1);
        CHECK_OK(own.go_on(ensemble));
        CHECK(!own.run.done && call < 10000, "it went on to the end");
      }
    });
    CHECK(fittings[0].run.exchanges == fittings[1].run.exchanges, "ranks stopped after different exchanges");
    CHECK(exchange == RS_EXCHANGE_AVERAGE || fittings[0].fits[0].steps == fittings[1].fits[0].steps, "ranks stopped after different steps");
  }
}

// A rank that leaves is named within the deadline. The other goes on alone, without the communicator.
void a_rank_that_leaves_is_named(const Dataset& data) {
  for (rs_exchange exchange : {RS_EXCHANGE_AVERAGE, RS_EXCHANGE_GRADIENT}) {
    const Part part = {0, 2, kAdam, exchange, 1, 130, 2};
    const Ensemble ensemble = make(part);
    {
      const Communicators ranks(2, 0.3);
      on_ranks(2, [&](int r) {
        const Ensemble other = make(part);
        const Ensemble& own = r == 0 ? ensemble : other;
        CHECK_OK(rs_ensemble_set_communicator(own.get(), ranks[r]));
        Fitting fitting(part, data);
        for (rs_fit& fit : fitting.fits) fit.losses_capacity = 1;
        CHECK_OK(fitting.go_on(own));
        if (r == 1) return;
        CHECK(!fitting.run.done, "it did not pause");
        const rs_status status = fitting.go_on(own);
        CHECK(status == RS_COLLECTIVE_TIMEOUT && rs_last_error_rank() == 1, "status %d, rank %d: %s", status, rs_last_error_rank(), rs_last_error());
      });
      CHECK_OK(rs_ensemble_set_communicator(ensemble.get(), nullptr));
    }
    Fitting(part, data).finish(ensemble);
  }
}

void require_refusal(rs_status status, const char* text) {
  CHECK(status == RS_INVALID_ARGUMENT && std::strstr(rs_last_error(), text), "status %d: %s", status, rs_last_error());
}

void what_cannot_be_is_refused() {
  const Dataset large = test::random_dataset(1100, 10, 1, 3);
  const Dataset weighted = test::random_dataset(kRows, 10, 1, 3);
  float* weights = nullptr;
  CHECK_OK(rs_dataset_weights(weighted.get(), &weights));
  weights[1] = 2;
  for (rs_exchange exchange : {RS_EXCHANGE_AVERAGE, RS_EXCHANGE_GRADIENT}) {
    const Part part = {0, 2, kPlain, exchange, 1, 1100, 1};
    const Ensemble ensemble = make(part);
    if (exchange == RS_EXCHANGE_AVERAGE) require_refusal(Fitting(part, large).go_on(ensemble), "batches of more than 1024 rows; use device cpu");
    require_refusal(Fitting(part, weighted).go_on(ensemble), "sample weights; use device cpu");
  }
  const Ensemble ensemble = make({0, 2, kPlain, RS_EXCHANGE_AVERAGE, 1, 10, 1});
  require_refusal(Fitting({0, 2, kPlain, RS_EXCHANGE_GRADIENT, 1, 10, 1}, large).go_on(ensemble), "must have the same optimizer");
}

}  // namespace

int main() {
  test::register_cuda();
  {
    const Dataset data = test::random_dataset(kRows, 10, 1, 5), validation = test::random_dataset(33, 10, 1, 6);
    const Dataset large = test::random_dataset(1300, 10, 1, 5);
    the_mean_is_that_of_the_cpu(data);
    Part averages = {0, kModels, kMomentum, RS_EXCHANGE_AVERAGE, 3, 8, 2, false, true};
    ranks_change_no_average(averages, data);
    averages.diverges = true;
    averages.optimizer = kPlain;
    ranks_change_no_average(averages, data);
    const rs_schedule cosine = {RS_COSINE, 0, 0, 0.0001, 3, 0.1};
    for (const Part& part : {Part{0, kModels, kPlain, RS_EXCHANGE_GRADIENT, 0, 1, 2}, Part{0, kModels, kMomentum, RS_EXCHANGE_GRADIENT, 0, 16, 3},
                             Part{0, kModels, kAdam, RS_EXCHANGE_GRADIENT, 0, 16, 3, false, false, false, false, cosine}}) {
      exchanged_gradients_are_one_trainers(part, data, validation);
    }
    Part averages_of_one = {0, kModels, kMomentum, RS_EXCHANGE_GRADIENT, 0, 16, 3};
    averages_of_one.averages = {RS_SWA, 0, 1};
    exchanged_gradients_are_one_trainers(averages_of_one, data, validation);
    Part blocks = {0, kModels, kAdam, RS_EXCHANGE_GRADIENT, 0, 1100, 2};
    blocks.averages = {RS_EMA, 0.7, 0};
    exchanged_gradients_are_one_trainers(blocks, large, validation);
    for (const rs_average& averages : {rs_average{}, rs_average{RS_EMA, 0.9, 0}, rs_average{RS_SWA, 0, 0}}) {
      ranks_validate_as_one(data, validation, averages);
    }
    ranks_stop_together(large);
    a_rank_that_leaves_is_named(large);
    what_cannot_be_is_refused();
  }
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
  printf("ensembles on the GPU that exchange: ok\n");
  return 0;
}
