// Ensembles of the CUDA engine: every model has the bits of a trainer alone on the GPU, however a fit is cut up, with rows
// of its own and without; is near the CPU's; stops alone where it diverges; and what a GPU cannot do is refused in a line.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "cuda_engine.h"
#include "ensemble_ranks.h"

using test::Dataset;
using test::Ensemble;
using test::Trainer;

namespace {

constexpr int32_t kModels = 6;
constexpr int64_t kRows = 80, kParameters = 10 * 20 + 20 + 20 + 1;
const int32_t kSizes[] = {10, 20, 1};

struct Case {
  const char* name;
  rs_activation activation;
  int64_t batch, epochs;
  bool groups;  // each model has rows of its own, some fewer than the batch, one a single row
  rs_optimizer optimizer = test::sgd(0, 0, false, 0);  // but for what models have of their own, see optimizer_of
  bool scheduled = false;                              // each model in another way
  bool averages = false;                               // likewise
};

const rs_optimizer kMomentum = test::sgd(0, 0.9, false, 0.01), kNesterov = test::sgd(0, 0.8, true, 0);

const Case kCases[] = {
    {"batch 1", RS_TANH, 1, 3, false},
    {"batch 1 of groups", RS_RELU, 1, 4, true},
    {"small batches", RS_SIGMOID, 16, 3, false},
    {"small batches of groups", RS_TANH, 16, 5, true},
    {"full batches of groups", RS_IDENTITY, 1000, 5, true},
    {"full batches", RS_RELU, 1000, 4, false},
    {"momentum at batch 1", RS_RELU, 1, 3, false, kMomentum},
    {"Nesterov's at batch 1 of groups", RS_TANH, 1, 3, true, kNesterov},
    {"momentum of groups", RS_SIGMOID, 16, 5, true, kMomentum},
    {"Nesterov's in full batches", RS_TANH, 1000, 4, false, kNesterov},
    {"Adam at batch 1 of groups", RS_SIGMOID, 1, 3, true, test::adam(RS_ADAM, 0, 0)},
    {"AdamW at batch 1", RS_TANH, 1, 2, false, test::adam(RS_ADAMW, 0, 0.1)},
    {"Adam of groups", RS_TANH, 16, 5, true, test::adam(RS_ADAM, 0, 0.01)},
    {"AdamW in full batches", RS_RELU, 1000, 4, false, test::adam(RS_ADAMW, 0, 0)},
    {"schedules at batch 1 of groups", RS_TANH, 1, 3, true, test::sgd(0, 0, false, 0), true},
    {"averages at batch 1 of groups", RS_RELU, 1, 3, true, test::sgd(0, 0, false, 0), false, true},
    {"averages of Adam", RS_TANH, 16, 3, false, test::adam(RS_ADAM, 0, 0.01), false, true},
    {"schedules of Adam", RS_RELU, 16, 4, true, test::adam(RS_ADAM, 0, 0.01), true},
};

const int64_t kFirstRows[kModels] = {0, 5, 6, 20, 10, 10}, kRowCounts[kModels] = {5, 1, 34, 60, 70, 17};

bool is_plain(const rs_optimizer& o) { return o.kind == RS_SGD && o.momentum == 0 && o.weight_decay == 0; }

// Each model's own: every third has no momentum, but with Nesterov's, and every other another weight decay.
rs_optimizer optimizer_of(const rs_optimizer& all, int32_t k) {
  rs_optimizer own = all;
  own.lr = (is_plain(all) ? 0.003 : 0.0005) * (k + 1);
  if (is_plain(all)) return own;
  if (k % 3 == 2 && !all.nesterov) own.momentum = 0;
  if (k % 2 == 1) own.weight_decay += 0.02 * k;
  return own;
}

uint64_t seed_of(int32_t k) { return 40 + static_cast<uint64_t>(k); }

rs_ensemble_options options_of(rs_activation activation, rs_engine engine, const std::vector<double>& lr,
                               const rs_optimizer& optimizer = test::sgd(0.01, 0, false, 0)) {
  rs_ensemble_options options = {};
  options.model.sizes = kSizes;
  options.model.size_count = 3;
  options.model.activation = activation;
  options.model.optimizer = optimizer;
  options.model.threads = 1;
  options.model.engine = engine;
  options.models = static_cast<int32_t>(lr.size());
  options.lr = lr.data();
  return options;
}

Ensemble make_ensemble(rs_activation activation, rs_engine engine = RS_ENGINE_CUDA,
                       const rs_optimizer& optimizer = test::sgd(0, 0, false, 0)) {
  std::vector<double> lr, momentum, weight_decay;
  std::vector<uint64_t> seeds;
  for (int32_t k = 0; k < kModels; ++k) {
    const rs_optimizer own = optimizer_of(optimizer, k);
    lr.push_back(own.lr);
    momentum.push_back(own.momentum);
    weight_decay.push_back(own.weight_decay);
    seeds.push_back(seed_of(k));
  }
  rs_ensemble_options options = options_of(activation, engine, lr, optimizer);
  options.momentum = momentum.data();
  options.weight_decay = weight_decay.data();
  rs_ensemble* ensemble = nullptr;
  CHECK_OK(rs_ensemble_create(&options, &ensemble));
  CHECK_OK(rs_ensemble_init(ensemble, seeds.data()));
  return Ensemble(ensemble);
}

const rs_average kAverages[] = {{RS_EMA, 0.9, 0}, {RS_NO_AVERAGE, 0, 0}, {RS_SWA, 0, 1}, {RS_SWA, 0, 0}};

rs_fit fit_of(const Case& c, int32_t k) {
  rs_fit fit = {};
  fit.batch = c.batch;
  fit.epochs = c.epochs;
  fit.shuffle = 1;
  fit.seed = 1000 + static_cast<uint64_t>(k);
  const rs_schedule schedules[] = {{}, {RS_COSINE, 0, 0, 0.0001, 3, 0.1}, {RS_STEP_DECAY, 1, 0.5, 0, 0, 0}, {RS_CONSTANT, 0, 0, 0, 9, 0}};
  if (c.averages) fit.average = kAverages[k % 4];
  if (c.scheduled) fit.schedule = schedules[k % 4], fit.lr_scale = k % 3 == 0 ? 0.7 : 0;
  return fit;
}

struct Left {
  std::vector<float> parameters;
  std::vector<double> losses;  // of epochs, then of the last step, then over its rows
  int64_t steps;
  bool operator==(const Left& other) const {
    return parameters == other.parameters && losses == other.losses && steps == other.steps;
  }
};

std::vector<float> parameters_of(const Ensemble& ensemble, int32_t k) {
  std::vector<float> parameters(static_cast<size_t>(kParameters));
  CHECK_OK(rs_ensemble_get_parameters(ensemble.get(), k, parameters.data(), kParameters));
  return parameters;
}

std::vector<Left> together(const Case& c, const Dataset& data, double seconds, rs_engine engine = RS_ENGINE_CUDA,
                           int32_t exchange = RS_EXCHANGE_NEVER) {
  const Ensemble ensemble = make_ensemble(c.activation, engine, c.optimizer);
  std::vector<rs_fit> fits;
  std::vector<Left> left(kModels);
  for (int32_t k = 0; k < kModels; ++k) {
    fits.push_back(fit_of(c, k));
    left[static_cast<size_t>(k)].losses.resize(static_cast<size_t>(c.epochs));
    fits.back().losses = left[static_cast<size_t>(k)].losses.data();
  }
  rs_ensemble_run run = {};
  run.first_rows = c.groups ? kFirstRows : nullptr;
  run.row_counts = c.groups ? kRowCounts : nullptr;
  run.exchange = exchange;
  run.exchange_every = 7;
  run.seconds = seconds;
  int calls = 0;
  while (!run.done) {
    const int64_t before = run.steps;
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    CHECK(run.done || run.steps > before, "%s: a call did not get on", c.name);
    ++calls;
  }
  CHECK(seconds == 0 ? calls == 1 : calls >= 1, "%s: %d calls", c.name, calls);
  double last[kModels], over[kModels];
  int64_t failures[kModels];
  CHECK_OK(rs_ensemble_losses(ensemble.get(), last));
  CHECK_OK(rs_ensemble_failures(ensemble.get(), failures));
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), run.first_rows, run.row_counts, nullptr, over));
  for (int32_t k = 0; k < kModels; ++k) {
    Left& own = left[static_cast<size_t>(k)];
    CHECK(failures[k] == 0, "%s: model %d failed", c.name, k);
    own.losses.push_back(last[k]);
    own.losses.push_back(over[k]);
    own.parameters = parameters_of(ensemble, k);
    own.steps = fits[static_cast<size_t>(k)].steps;
  }
  return left;
}

// The rows of a model, as a dataset of its own.
Dataset rows_of(const Case& c, const Dataset& data, int32_t k) {
  const int64_t first = c.groups ? kFirstRows[k] : 0, rows = c.groups ? kRowCounts[k] : kRows;
  rs_dataset* own = nullptr;
  CHECK_OK(rs_dataset_create(rows, 10, 1, &own));
  std::memcpy(rs_dataset_x(own), rs_dataset_x(data.get()) + first * 10, static_cast<size_t>(rows) * 10 * sizeof(float));
  std::memcpy(rs_dataset_y(own), rs_dataset_y(data.get()) + first, static_cast<size_t>(rows) * sizeof(float));
  return Dataset(own);
}

Trainer trainer_of(rs_activation activation, const rs_optimizer& optimizer, int32_t k) {
  Trainer trainer = test::make_trainer({10, 20, 1}, activation, optimizer_of(optimizer, k), 1, RS_ENGINE_CUDA);
  CHECK_OK(rs_trainer_init(trainer.get(), seed_of(k)));
  return trainer;
}

Left alone(const Case& c, const Dataset& data, int32_t k) {
  const Trainer trainer = trainer_of(c.activation, c.optimizer, k);
  const Dataset own = rows_of(c, data, k);
  Left left;
  left.losses.resize(static_cast<size_t>(c.epochs));
  rs_fit fit = fit_of(c, k);
  fit.losses = left.losses.data();
  fit.losses_capacity = c.epochs;
  while (!fit.done) CHECK_OK(rs_trainer_fit(trainer.get(), own.get(), &fit));
  left.steps = fit.steps;
  left.losses.push_back(rs_trainer_loss(trainer.get()));
  double over = 0;
  CHECK_OK(rs_trainer_evaluate(trainer.get(), own.get(), nullptr, &over));
  left.losses.push_back(over);
  left.parameters = test::parameters_of(trainer);
  return left;
}

void is_near(const Case& c, const std::vector<Left>& cuda, const std::vector<Left>& cpu) {
  for (size_t k = 0; k < kModels; ++k) {
    CHECK(cuda[k].steps == cpu[k].steps, "%s: model %zu took other steps than the CPU's", c.name, k);
    for (size_t i = 0; i < cpu[k].parameters.size(); ++i) {
      const float a = cuda[k].parameters[i], b = cpu[k].parameters[i];
      CHECK(std::fabs(a - b) <= 1e-4f * (1 + std::fabs(b)), "%s: model %zu, parameter %zu is %.9g, the CPU's %.9g", c.name, k, i,
            static_cast<double>(a), static_cast<double>(b));
    }
  }
}

void models_have_the_bits_of_one_alone(const Case& c, const Dataset& data) {
  const std::vector<Left> whole = together(c, data, 0);
  for (int32_t k = 0; k < kModels; ++k) {
    CHECK(whole[static_cast<size_t>(k)] == alone(c, data, k), "%s: model %d has other bits than alone", c.name, k);
  }
  CHECK(together(c, data, 1e-9) == whole, "%s: in slices it has other bits", c.name);
  is_near(c, whole, together(c, data, 0, RS_ENGINE_CPU));
  printf("%s: ok\n", c.name);
  if (c.averages) return;  // each in another way: models that exchange have one
  const std::vector<Left> averaged = together(c, data, 0, RS_ENGINE_CUDA, RS_EXCHANGE_AVERAGE);
  for (size_t k = 1; k < kModels; ++k) CHECK(averaged[k].parameters == averaged[0].parameters, "%s: no average", c.name);
  CHECK(together(c, data, 1e-9, RS_ENGINE_CUDA, RS_EXCHANGE_AVERAGE) == averaged, "%s: averages in slices differ", c.name);
  is_near(c, averaged, together(c, data, 0, RS_ENGINE_CPU, RS_EXCHANGE_AVERAGE));
}

void steps_and_answers_are_those_of_one_alone(const Dataset& data, const rs_optimizer& optimizer) {
  for (const int64_t rows : {int64_t{1}, int64_t{3}, kRows}) {
    const Ensemble ensemble = make_ensemble(RS_TANH, RS_ENGINE_CUDA, optimizer);
    const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
    double lr[kModels], losses[kModels];
    for (int32_t k = 0; k < kModels; ++k) lr[k] = 2 * optimizer_of(optimizer, k).lr;
    for (int i = 0; i < 3; ++i) {
      if (i == 2) CHECK_OK(rs_ensemble_set_learning_rates(ensemble.get(), lr));
      CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, rows));
    }
    CHECK_OK(rs_ensemble_losses(ensemble.get(), losses));
    std::vector<float> answers(static_cast<size_t>(kModels * kRows)), own(static_cast<size_t>(kRows));
    CHECK_OK(rs_ensemble_predict(ensemble.get(), x, kRows, answers.data()));
    for (int32_t k = 0; k < kModels; ++k) {
      const Trainer trainer = trainer_of(RS_TANH, optimizer, k);
      for (int i = 0; i < 3; ++i) {
        if (i == 2) CHECK_OK(rs_trainer_set_learning_rate(trainer.get(), lr[k]));
        CHECK_OK(rs_trainer_step(trainer.get(), x, y, rows));
      }
      CHECK(parameters_of(ensemble, k) == test::parameters_of(trainer), "model %d: steps of %d rows differ", k, static_cast<int>(rows));
      CHECK(losses[k] == rs_trainer_loss(trainer.get()), "model %d: the loss of a step is %.17g, not %.17g", k, losses[k],
            rs_trainer_loss(trainer.get()));
      CHECK_OK(rs_trainer_predict(trainer.get(), x, kRows, own.data()));
      CHECK(std::memcmp(own.data(), answers.data() + k * kRows, static_cast<size_t>(kRows) * sizeof(float)) == 0,
            "model %d: other answers", k);
    }
  }
}

// The losses of a model's epochs on validation rows, and the parameters of the epoch that was kept.
struct Validated {
  std::vector<double> losses;
  std::vector<float> parameters;
};

// What reduce-on-plateau does after the first epoch, and when a model is kept.
double lr_scale_after(int64_t epoch) { return epoch == 0 ? 0 : 0.5; }
bool is_kept(int32_t k, int64_t epoch) { return k % 2 == 0 && epoch == k % 3; }

Validated validated_alone(const Case& c, const Dataset& data, const Dataset& validation, int32_t k) {
  const Trainer trainer = trainer_of(c.activation, c.optimizer, k);
  const Dataset own = rows_of(c, data, k);
  Validated left;
  std::vector<float> kept;
  rs_fit fit = fit_of(c, k);
  std::vector<double> losses(static_cast<size_t>(c.epochs));
  fit.losses = losses.data();
  fit.losses_capacity = 1;
  while (!fit.done) {
    fit.lr_scale = lr_scale_after(fit.epoch);
    CHECK_OK(rs_trainer_fit(trainer.get(), own.get(), &fit));
    const bool averages = !test::average_of(trainer).empty();
    if (averages) CHECK_OK(rs_trainer_swap_average(trainer.get()));
    double loss = 0;
    CHECK_OK(rs_trainer_evaluate(trainer.get(), validation.get(), nullptr, &loss));
    left.losses.push_back(loss);
    if (is_kept(k, fit.epoch - 1)) kept = test::parameters_of(trainer);
    if (averages) CHECK_OK(rs_trainer_swap_average(trainer.get()));
  }
  const std::vector<float> average = test::average_of(trainer), latest = average.empty() ? test::parameters_of(trainer) : average;
  left.parameters = kept.empty() ? latest : kept;
  return left;
}

// As validated_alone for all models, in calls that may be short; then one more step of all, as the optimizer of a model
// whose parameters were taken back begins anew.
void validation_is_that_of_a_model_alone(const Case& c, const Dataset& data, double seconds) {
  const Dataset validation = test::random_dataset(29, 10, 1, 6);
  const Ensemble ensemble = make_ensemble(c.activation, RS_ENGINE_CUDA, c.optimizer);
  std::vector<rs_fit> fits;
  std::vector<Validated> left(kModels);
  std::vector<double> own_losses(static_cast<size_t>(kModels * c.epochs));
  for (int32_t k = 0; k < kModels; ++k) {
    fits.push_back(fit_of(c, k));
    fits.back().losses = own_losses.data() + k * c.epochs;
    fits.back().losses_capacity = 1;
    fits.back().lr_scale = lr_scale_after(0);
  }
  rs_ensemble_run run = {};
  run.first_rows = c.groups ? kFirstRows : nullptr;
  run.row_counts = c.groups ? kRowCounts : nullptr;
  run.seconds = seconds;
  std::vector<int64_t> epochs(kModels);
  while (!run.done) {
    CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    std::vector<int32_t> ended(kModels), keeps(kModels);
    std::vector<double> losses(kModels, -1);
    for (size_t k = 0; k < kModels; ++k) {
      ended[k] = fits[k].epoch > epochs[k];
      CHECK(fits[k].epoch <= epochs[k] + 1, "model %zu did not pause", k);
      epochs[k] = fits[k].epoch;
      keeps[k] = ended[k] && is_kept(static_cast<int32_t>(k), epochs[k] - 1);
      fits[k].lr_scale = lr_scale_after(fits[k].epoch);
    }
    CHECK_OK(rs_ensemble_validate(ensemble.get(), validation.get(), nullptr, nullptr, nullptr, ended.data(), losses.data()));
    CHECK_OK(rs_ensemble_keep(ensemble.get(), keeps.data()));
    for (size_t k = 0; k < kModels; ++k) {
      CHECK(ended[k] || losses[k] == -1, "model %zu was validated amid an epoch", k);
      if (ended[k]) left[k].losses.push_back(losses[k]);
    }
  }
  const std::vector<int32_t> all(kModels, 1);
  CHECK_OK(rs_ensemble_take(ensemble.get(), all.data()));
  for (int32_t k = 0; k < kModels; ++k) {
    const Validated expected = validated_alone(c, data, validation, k);
    CHECK(left[static_cast<size_t>(k)].losses == expected.losses, "%s: model %d has other validation losses", c.name, k);
    CHECK(parameters_of(ensemble, k) == expected.parameters, "%s: model %d has other parameters", c.name, k);
  }
  // A kept model begins anew.
  const float *x = rs_dataset_x(data.get()), *y = rs_dataset_y(data.get());
  CHECK_OK(rs_ensemble_step(ensemble.get(), x, y, 3));
  for (int32_t k = 0; k < kModels; k += 2) {
    const Trainer trainer = trainer_of(c.activation, c.optimizer, k);
    CHECK_OK(rs_trainer_set_parameters(trainer.get(), validated_alone(c, data, validation, k).parameters.data(), kParameters));
    CHECK_OK(rs_trainer_step(trainer.get(), x, y, 3));
    CHECK(parameters_of(ensemble, k) == test::parameters_of(trainer), "%s: model %d does not begin anew", c.name, k);
  }
}

// Model 3 is too bold; the others have the bits that they have without it.
void one_that_diverges_stops_alone(const Dataset& data) {
  for (const Case& c : {kCases[1], kCases[2], kCases[7], kCases[12]}) {
    const std::vector<Left> sound = together(c, data, 0);
    const Ensemble ensemble = make_ensemble(c.activation, RS_ENGINE_CUDA, c.optimizer);
    double lr[kModels];
    for (int32_t k = 0; k < kModels; ++k) lr[k] = k == 3 ? 1e30 : optimizer_of(c.optimizer, k).lr;
    CHECK_OK(rs_ensemble_set_learning_rates(ensemble.get(), lr));
    std::vector<rs_fit> fits;
    for (int32_t k = 0; k < kModels; ++k) fits.push_back(fit_of(c, k));
    rs_ensemble_run run = {};
    run.first_rows = c.groups ? kFirstRows : nullptr;
    run.row_counts = c.groups ? kRowCounts : nullptr;
    while (!run.done) CHECK_OK(rs_ensemble_fit(ensemble.get(), data.get(), fits.data(), &run));
    int64_t failures[kModels];
    CHECK_OK(rs_ensemble_failures(ensemble.get(), failures));
    for (int32_t k = 0; k < kModels; ++k) {
      if (k == 3) continue;
      CHECK(failures[k] == 0 && parameters_of(ensemble, k) == sound[static_cast<size_t>(k)].parameters,
            "%s: model %d was disturbed", c.name, k);
    }
    CHECK(failures[3] == fits[3].steps + 1 && failures[3] > 1, "%s: it failed at step %lld", c.name,
          static_cast<long long>(failures[3]));
    // Frozen: neither fits nor steps change it, until it is set anew.
    const std::vector<float> frozen = parameters_of(ensemble, 3);
    CHECK_OK(rs_ensemble_step(ensemble.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 4));
    CHECK(std::memcmp(parameters_of(ensemble, 3).data(), frozen.data(), frozen.size() * sizeof(float)) == 0, "%s", c.name);
    CHECK_OK(rs_ensemble_set_parameters(ensemble.get(), 3, sound[0].parameters.data(), kParameters));
    CHECK_OK(rs_ensemble_failures(ensemble.get(), failures));
    CHECK(failures[3] == 0, "%s: it does not start anew", c.name);
  }
}

// Some models have no rows to be evaluated over, or none has any.
void the_loss_over_no_rows_is_not_a_number(const Dataset& data) {
  const Ensemble ensemble = make_ensemble(RS_TANH);
  int64_t first[kModels] = {}, counts[kModels] = {};
  double whole[kModels], losses[kModels];
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), nullptr, nullptr, nullptr, whole));
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), first, counts, nullptr, losses));
  for (double loss : losses) CHECK(std::isnan(loss), "%g", loss);
  counts[2] = kRows;
  CHECK_OK(rs_ensemble_evaluate(ensemble.get(), data.get(), first, counts, nullptr, losses));
  for (int32_t k = 0; k < kModels; ++k) CHECK(k == 2 ? losses[k] == whole[k] : std::isnan(losses[k]), "model %d: %g", k, losses[k]);
}

void require_refusal(rs_status status, const char* text) {
  CHECK(status == RS_INVALID_ARGUMENT && std::strstr(rs_last_error(), text) && std::strstr(rs_last_error(), "use device cpu"),
        "status %d: %s", status, rs_last_error());
}

void what_a_gpu_cannot_do_is_refused() {
  const std::vector<double> lr = {0.1, 0.2};
  rs_ensemble* ensemble = nullptr;
  rs_ensemble_options options = options_of(RS_TANH, RS_ENGINE_CUDA, lr);
  const int32_t deep[] = {4, 5, 6, 1};
  options.model.sizes = deep;
  options.model.size_count = 4;
  require_refusal(rs_ensemble_create(&options, &ensemble), "kernels for this network");
  rs_optimizer no_epsilon = test::adam(RS_ADAM, 0.1, 0);
  no_epsilon.eps = 0;
  options = options_of(RS_TANH, RS_ENGINE_CUDA, lr, no_epsilon);
  require_refusal(rs_ensemble_create(&options, &ensemble), "Adam without an epsilon");
  CHECK(std::strcmp(rs_trainer_path(test::make_trainer({10, 20, 1}, RS_TANH, no_epsilon, 1, RS_ENGINE_CUDA).get(), 1), "fused") == 0,
        "the path of Adam without an epsilon");
  options = options_of(RS_TANH, RS_ENGINE_CUDA, lr);
  options.model.loss.kind = RS_MAE;
  require_refusal(rs_ensemble_create(&options, &ensemble), "loss");
  CHECK(!ensemble, "something was made");

  const Ensemble made = make_ensemble(RS_TANH);
  std::vector<rs_fit> fits;
  for (int32_t k = 0; k < kModels; ++k) fits.push_back(fit_of(kCases[0], 0));
  rs_ensemble_run run = {};
  const Dataset large = test::random_dataset(1100, 10, 1, 3);
  fits[2] = fit_of(kCases[0], 0);
  fits[2].batch = 1100;
  require_refusal(rs_ensemble_fit(made.get(), large.get(), fits.data(), &run), "batches of more than 1024");
  require_refusal(rs_ensemble_step(made.get(), rs_dataset_x(large.get()), rs_dataset_y(large.get()), 1100), "steps of more than 1024");
}

}  // namespace

int main() {
  test::register_cuda();
  {
    const Dataset data = test::random_dataset(kRows, 10, 1, 5);
    for (const Case& c : kCases) models_have_the_bits_of_one_alone(c, data);
    for (const rs_optimizer& optimizer : {test::sgd(0, 0, false, 0), kMomentum, test::adam(RS_ADAM, 0, 0.01)}) {
      steps_and_answers_are_those_of_one_alone(data, optimizer);
    }
    for (const double seconds : {0.0, 1e-9}) {
      validation_is_that_of_a_model_alone(kCases[3], data, seconds);
      validation_is_that_of_a_model_alone(kCases[10], data, seconds);
      validation_is_that_of_a_model_alone({"averages of groups", RS_TANH, 16, 4, true, kMomentum, false, true}, data, seconds);
    }
    one_that_diverges_stops_alone(data);
    the_loss_over_no_rows_is_not_a_number(data);
    what_a_gpu_cannot_do_is_refused();
  }
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
  printf("ensembles on the GPU: ok\n");
  return 0;
}
