// Penalties, clipping, dropout, schedules, averages and sample weights through the C ABI: against float64, for any number
// of threads, however a fit is cut up, and refused where they make no sense.
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>

#include "bits.h"
#include "engine.h"
#include "optimizers.h"

using test::Dataset;
using test::Trainer;

namespace {

const std::vector<int32_t> kSizes = {7, 12, 3};

struct Setup {
  std::string name;
  std::function<void(rs_trainer_options&)> options = [](rs_trainer_options&) {};
  std::function<void(rs_fit&)> fit = [](rs_fit&) {};
  bool weighted = false;
};

rs_trainer_options plain_options() {
  rs_trainer_options options = {};
  options.sizes = kSizes.data();
  options.size_count = static_cast<int32_t>(kSizes.size());
  options.activation = RS_TANH;
  options.optimizer = test::sgd(0.05, 0.9, false, 0.01);
  return options;
}

Trainer trainer_of(const Setup& setup, int32_t threads) {
  rs_trainer_options options = plain_options();
  options.threads = threads;
  setup.options(options);
  rs_trainer* trainer = nullptr;
  CHECK_OK(rs_trainer_create(&options, &trainer));
  CHECK_OK(rs_trainer_init(trainer, 1));
  return Trainer(trainer);
}

Dataset data_of(const Setup& setup, int64_t rows) {
  Dataset data = test::random_dataset(rows, kSizes.front(), kSizes.back(), 3);
  for (int64_t i = 0; i < rows * kSizes.back(); ++i) rs_dataset_y(data.get())[i] = std::fabs(rs_dataset_y(data.get())[i]);
  if (setup.weighted) {
    float* weights = nullptr;
    CHECK_OK(rs_dataset_weights(data.get(), &weights));
    CHECK(weights[0] == 1 && weights[rows - 1] == 1, "weights are 1 at first");
    for (int64_t i = 0; i < rows; ++i) weights[i] = static_cast<float>(i % 4) / 2;
  }
  return data;
}

rs_fit fit_of(const Setup& setup, int64_t batch) {
  rs_fit fit = {};
  fit.batch = batch;
  fit.epochs = 6;
  fit.shuffle = 1;
  fit.seed = 9;
  setup.fit(fit);
  return fit;
}

std::vector<float> average_of(const Trainer& trainer, int64_t* averaged) {
  std::vector<float> average(test::parameters_of(trainer).size());
  CHECK_OK(rs_trainer_get_average(trainer.get(), average.data(), static_cast<int64_t>(average.size()), averaged));
  return average;
}

// Parameters, then their average.
std::vector<float> outcome(const Trainer& trainer) {
  std::vector<float> all = test::parameters_of(trainer);
  int64_t averaged;
  const std::vector<float> average = average_of(trainer, &averaged);
  all.insert(all.end(), average.begin(), average.end());
  return all;
}

std::vector<double> run(const Setup& setup, const Dataset& data, const Trainer& trainer, int64_t batch, bool sliced) {
  std::vector<double> losses;
  rs_fit fit = fit_of(setup, batch);
  double some[8];
  fit.losses = some;
  fit.losses_capacity = sliced ? 1 : 8;
  fit.seconds = sliced ? 1e-9 : 0;
  while (!fit.done) {
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    losses.insert(losses.end(), some, some + fit.losses_count);
  }
  return losses;
}

void same(const std::vector<float>& a, const std::vector<float>& b, const std::string& name) {
  const int64_t count = static_cast<int64_t>(a.size());
  const int64_t i = test::first_difference(a.data(), b.data(), count);
  CHECK(i == count, "%s: value %lld differs", name.c_str(), static_cast<long long>(i));
}

const std::vector<Setup> kSetups = {
    {"mae", [](auto& o) { o.loss.kind = RS_MAE; }},
    {"huber", [](auto& o) { o.loss = {RS_HUBER, 0.3}; }},
    {"bce", [](auto& o) { o.loss.kind = RS_BCE; }},
    {"weights", [](auto&) {}, [](auto&) {}, true},
    {"bce with weights", [](auto& o) { o.loss.kind = RS_BCE; }, [](auto&) {}, true},
    {"l1", [](auto& o) { o.shaping.l1 = 0.01; }},
    {"clipped norm", [](auto& o) { o.shaping.clip_norm = 0.05; }},
    {"clipped values", [](auto& o) { o.shaping.clip_value = 0.01; }},
    {"dropout", [](auto& o) { o.dropout = 0.3; o.dropout_seed = 5; }},
    {"step decay", [](auto&) {}, [](auto& f) { f.schedule = {RS_STEP_DECAY, 2, 0.5, 0, 0, 0}; }},
    {"cosine", [](auto&) {}, [](auto& f) { f.schedule = {RS_COSINE, 0, 0, 0.001, 0, 0}; }},
    {"warm-up, then cosine", [](auto&) {}, [](auto& f) { f.schedule = {RS_COSINE, 0, 0, 0, 5, 0.1}; }},
    {"ema", [](auto&) {}, [](auto& f) { f.average = {RS_EMA, 0.9, 0}; }},
    {"swa", [](auto&) {}, [](auto& f) { f.average = {RS_SWA, 0, 2}; }},
    {"all", [](auto& o) { o.loss = {RS_HUBER, 0.3}; o.shaping = {0.001, 0.05, 0}; o.dropout = 0.5; },
     [](auto& f) { f.schedule = {RS_COSINE, 0, 0, 0, 5, 0.1}; f.average = {RS_EMA, 0.9, 0}; }, true},
};

// Batches of one row, of the row path, of one block, of several.
void same_bits_however_it_is_done(const Setup& setup) {
  for (int64_t batch : {1, 5, 40, 2500}) {
    const Dataset data = data_of(setup, batch == 2500 ? 5001 : 121);
    const Trainer alone = trainer_of(setup, 1);
    const std::vector<double> losses = run(setup, data, alone, batch, false);
    const std::vector<float> expected = outcome(alone);
    const std::string name = setup.name + ", batch " + std::to_string(batch);
    for (int32_t threads : {2, 3, 8}) {
      const Trainer trainer = trainer_of(setup, threads);
      CHECK(run(setup, data, trainer, batch, false) == losses, "%s: other losses with %d threads", name.c_str(), threads);
      same(outcome(trainer), expected, name + ", " + std::to_string(threads) + " threads");
    }
    const Trainer sliced = trainer_of(setup, 2);
    CHECK(run(setup, data, sliced, batch, true) == losses, "%s: other losses in slices", name.c_str());
    same(outcome(sliced), expected, name + ", in slices");
  }
}

// ---- against float64 ----

// What the trainer says of the mean gradient is checked elsewhere; here, what becomes of it.
void shapes_the_gradient(const rs_gradient_shaping& shaping, const char* name) {
  const Setup setup = {name, [&](auto& o) { o.optimizer = test::sgd(0.5, 0, false, 0.1); o.shaping = shaping; }};
  const Trainer trainer = trainer_of(setup, 2);
  const Dataset data = data_of(setup, 50);
  const std::vector<float> before = test::parameters_of(trainer);
  const size_t count = before.size();
  std::vector<float> gradient(count);
  double loss;
  CHECK_OK(rs_trainer_gradient(trainer.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 50, gradient.data(),
                               static_cast<int64_t>(count), &loss));
  CHECK_OK(rs_trainer_step(trainer.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 50));
  const std::vector<float> after = test::parameters_of(trainer);

  std::vector<double> g(gradient.begin(), gradient.end());
  double squares = 0;
  for (size_t i = 0; i < count; ++i) {
    g[i] += shaping.l1 * (before[i] > 0 ? 1 : (before[i] < 0 ? -1 : 0));
    if (shaping.clip_value > 0) g[i] = std::min(std::max(g[i], -shaping.clip_value), shaping.clip_value);
    squares += g[i] * g[i];
  }
  const double factor = shaping.clip_norm > 0 ? std::min(1.0, shaping.clip_norm / (std::sqrt(squares) + 1e-6)) : 1;
  for (size_t i = 0; i < count; ++i) {
    const double expected = before[i] - 0.5 * (factor * g[i] + 0.1 * before[i]);
    CHECK(std::fabs(after[i] - expected) < 2e-7, "%s: parameter %zu is %g, not %g", name, i, after[i], expected);
  }
}

// With plain descent and a gradient that does not change (one linear unit, absolute error), a step is its rate.
double rate_of_step(const rs_schedule& schedule, double lr_scale, int64_t epochs, int64_t step, int64_t steps_per_epoch) {
  const int32_t sizes[] = {1, 1};
  rs_trainer_options options = {};
  options.sizes = sizes;
  options.size_count = 2;
  options.optimizer = test::sgd(0.5, 0, false, 0);
  options.loss.kind = RS_MAE;
  rs_trainer* made = nullptr;
  CHECK_OK(rs_trainer_create(&options, &made));
  const Trainer trainer(made);
  rs_dataset* rows = nullptr;
  CHECK_OK(rs_dataset_create(steps_per_epoch, 1, 1, &rows));
  const Dataset data(rows);
  for (int64_t i = 0; i < steps_per_epoch; ++i) rs_dataset_y(rows)[i] = -1e6f;
  rs_fit fit = {};
  fit.batch = 1;
  fit.epochs = epochs;
  fit.epoch = step / steps_per_epoch;
  fit.row = step % steps_per_epoch;
  fit.steps = step;
  fit.schedule = schedule;
  fit.lr_scale = lr_scale;
  fit.seconds = 1e-9;
  float before[2] = {0, 0};
  CHECK_OK(rs_trainer_set_parameters(made, before, 2));
  // Every row counts towards the look at the clock, which is far away: so all later rows' targets are out of the way.
  const int64_t last = fit.row;
  for (int64_t i = last + 1; i < steps_per_epoch; ++i) rs_dataset_y(rows)[i] = NAN;
  const rs_status status = rs_trainer_fit(made, rows, &fit);
  CHECK(status == RS_OK || status == RS_NON_FINITE, "%s", rs_last_error());
  return -test::parameters_of(trainer)[1];
}

void schedules_follow_their_formulas() {
  const int64_t epochs = 7, steps = 10, total = epochs * steps;
  const double pi = std::acos(-1.0);
  // The last step of each epoch cannot be told from the first of the next by rate_of_step.
  for (int64_t t = 0; t < total; ++t) {
    if (t % steps == steps - 1) continue;
    const auto check = [&](const rs_schedule& schedule, double scale, double expected) {
      const double rate = rate_of_step(schedule, scale, epochs, t, steps);
      CHECK(std::fabs(rate - expected) <= 1e-7 * expected + 1e-12, "kind %d, step %lld: rate %g, not %g", schedule.kind,
            static_cast<long long>(t), rate, expected);
    };
    check({RS_CONSTANT, 0, 0, 0, 0, 0}, 0, 0.5);
    check({RS_CONSTANT, 0, 0, 0, 0, 0}, 0.25, 0.125);
    check({RS_STEP_DECAY, 2, 0.3, 0, 0, 0}, 0, 0.5 * std::pow(0.3, static_cast<double>(t / (2 * steps))));
    check({RS_COSINE, 0, 0, 0.1, 0, 0}, 0, 0.1 + 0.4 * (1 + std::cos(pi * static_cast<double>(t) / static_cast<double>(total))) / 2);
    const double warm = 0.5 * (0.2 + 0.8 * static_cast<double>(t) / 14);
    const double later = static_cast<double>(t - 14);
    check({RS_CONSTANT, 0, 0, 0, 14, 0.2}, 0, t < 14 ? warm : 0.5);
    check({RS_STEP_DECAY, 1, 0.5, 0, 14, 0.2}, 0, t < 14 ? warm : 0.5 * std::pow(0.5, std::floor(later / steps)));
    check({RS_COSINE, 0, 0, 0, 14, 0.2}, 0, t < 14 ? warm : 0.25 * (1 + std::cos(pi * later / static_cast<double>(total - 14))));
  }
}

// The parameters after every step of the same fit, by fits of ever more steps.
void averages_follow_their_formulas() {
  const Setup plain = {"plain"};
  const Dataset data = data_of(plain, 60);
  const Trainer stepping = trainer_of(plain, 1), ema = trainer_of(plain, 1), swa = trainer_of(plain, 1);
  rs_fit ema_fit = fit_of(plain, 20), swa_fit = fit_of(plain, 20);
  ema_fit.shuffle = swa_fit.shuffle = 0;
  ema_fit.average = {RS_EMA, 0.9, 0};
  swa_fit.average = {RS_SWA, 0, 2};
  CHECK_OK(rs_trainer_fit(ema.get(), data.get(), &ema_fit));
  CHECK_OK(rs_trainer_fit(swa.get(), data.get(), &swa_fit));

  std::vector<double> ema_expected, swa_expected;
  int64_t epochs = 0;
  for (int64_t step = 0; step < 18; ++step) {
    const int64_t first = step % 3 * 20;
    CHECK_OK(rs_trainer_step(stepping.get(), rs_dataset_x(data.get()) + first * kSizes.front(),
                             rs_dataset_y(data.get()) + first * kSizes.back(), 20));
    const std::vector<float> now = test::parameters_of(stepping);
    if (step == 0) ema_expected.assign(now.begin(), now.end());
    for (size_t i = 0; i < now.size(); ++i) ema_expected[i] += 0.1 * (now[i] - ema_expected[i]);
    if (step % 3 == 2 && step / 3 >= 2) {
      ++epochs;
      swa_expected.resize(now.size());
      for (size_t i = 0; i < now.size(); ++i) swa_expected[i] += (now[i] - swa_expected[i]) / static_cast<double>(epochs);
    }
  }
  int64_t count;
  const std::vector<float> ema_actual = average_of(ema, &count);
  CHECK(count == 18, "%lld averaged", static_cast<long long>(count));
  const std::vector<float> swa_actual = average_of(swa, &count);
  CHECK(count == 4, "%lld averaged", static_cast<long long>(count));
  for (size_t i = 0; i < ema_actual.size(); ++i) {
    CHECK(std::fabs(ema_actual[i] - ema_expected[i]) < 1e-6, "ema %zu: %g, not %g", i, ema_actual[i], ema_expected[i]);
    CHECK(std::fabs(swa_actual[i] - swa_expected[i]) < 1e-6, "swa %zu: %g, not %g", i, swa_actual[i], swa_expected[i]);
  }
  // A swap, twice, leaves everything as it was.
  const std::vector<float> before = test::parameters_of(ema);
  CHECK_OK(rs_trainer_swap_average(ema.get()));
  same(test::parameters_of(ema), ema_actual, "swapped");
  CHECK_OK(rs_trainer_swap_average(ema.get()));
  same(test::parameters_of(ema), before, "swapped back");
}

// A row that weighs 2 is as good as two rows, one that weighs 0 as none.
void weights_count_rows() {
  const Setup setup = {"weights", [](auto& o) { o.optimizer = test::sgd(0.1, 0, false, 0); }};
  const int64_t rows = 30;
  const Dataset once = data_of(setup, rows);
  float* weights = nullptr;
  CHECK_OK(rs_dataset_weights(once.get(), &weights));
  std::vector<int64_t> copies;
  for (int64_t i = 0; i < rows; ++i) {
    weights[i] = static_cast<float>(i % 3);
    for (int64_t k = 0; k < i % 3; ++k) copies.push_back(i);
  }
  rs_dataset* made = nullptr;
  CHECK_OK(rs_dataset_create(static_cast<int64_t>(copies.size()), kSizes.front(), kSizes.back(), &made));
  const Dataset copied(made);
  for (size_t i = 0; i < copies.size(); ++i) {
    for (int64_t k = 0; k < kSizes.front(); ++k) {
      rs_dataset_x(made)[static_cast<int64_t>(i) * kSizes.front() + k] = rs_dataset_x(once.get())[copies[i] * kSizes.front() + k];
    }
    for (int64_t k = 0; k < kSizes.back(); ++k) {
      rs_dataset_y(made)[static_cast<int64_t>(i) * kSizes.back() + k] = rs_dataset_y(once.get())[copies[i] * kSizes.back() + k];
    }
  }
  const Trainer a = trainer_of(setup, 1), b = trainer_of(setup, 1);
  double loss_a, loss_b;
  CHECK_OK(rs_trainer_evaluate(a.get(), once.get(), nullptr, &loss_a));
  CHECK_OK(rs_trainer_evaluate(b.get(), copied.get(), nullptr, &loss_b));
  CHECK(std::fabs(loss_a / loss_b - 1) < 1e-6, "loss %g and %g", loss_a, loss_b);
  rs_fit fit = fit_of(setup, 1000), other = fit;
  CHECK_OK(rs_trainer_fit(a.get(), once.get(), &fit));
  CHECK_OK(rs_trainer_fit(b.get(), copied.get(), &other));
  const std::vector<float> expected = test::parameters_of(b), actual = test::parameters_of(a);
  for (size_t i = 0; i < actual.size(); ++i) {
    CHECK(std::fabs(actual[i] - expected[i]) < 1e-6, "parameter %zu: %g, not %g", i, actual[i], expected[i]);
  }
  // Rows without any weight change nothing.
  std::fill_n(weights, rows, 0.0f);
  const std::vector<float> before = test::parameters_of(a);
  fit = fit_of(setup, 7);
  CHECK_OK(rs_trainer_fit(a.get(), once.get(), &fit));
  same(test::parameters_of(a), before, "rows without weight");
}

// Training drops units, and nothing else does; the next step drops others, the same after a reset the same.
void dropout_is_for_training() {
  const Setup setup = {"dropout", [](auto& o) { o.dropout = 0.5; o.dropout_seed = 3; o.optimizer.lr = 0; }};
  const Setup plain = {"plain"};
  const Dataset data = data_of(setup, 40);
  const Trainer with = trainer_of(setup, 1), without = trainer_of(plain, 1);
  double loss, expected;
  CHECK_OK(rs_trainer_evaluate(with.get(), data.get(), nullptr, &loss));
  CHECK_OK(rs_trainer_evaluate(without.get(), data.get(), nullptr, &expected));
  CHECK(loss == expected, "evaluation drops units: %g and %g", loss, expected);
  double losses[3];
  for (double& own : losses) {
    CHECK_OK(rs_trainer_step(with.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 40));
    own = rs_trainer_loss(with.get());
  }
  CHECK(losses[0] != losses[1] && losses[1] != losses[2] && losses[0] != expected, "the masks do not change");
  CHECK_OK(rs_trainer_init(with.get(), 1));
  CHECK_OK(rs_trainer_step(with.get(), rs_dataset_x(data.get()), rs_dataset_y(data.get()), 40));
  CHECK(rs_trainer_loss(with.get()) == losses[0], "the masks do not replay");
}

// ---- what makes no sense ----

void refuses(const char* problem, const std::function<void(rs_trainer_options&)>& change) {
  rs_trainer_options options = plain_options();
  change(options);
  rs_trainer* trainer = nullptr;
  CHECK(rs_trainer_create(&options, &trainer) == RS_INVALID_ARGUMENT && !trainer, "%s", problem);
  CHECK(std::string(rs_last_error()).find(problem) != std::string::npos, "'%s' does not say '%s'", rs_last_error(), problem);
}

void refuses_fit(const char* problem, const std::function<void(rs_fit&)>& change) {
  const Setup plain = {"plain"};
  const Trainer trainer = trainer_of(plain, 1);
  const Dataset data = data_of(plain, 20);
  rs_fit fit = fit_of(plain, 4);
  change(fit);
  CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_INVALID_ARGUMENT, "%s", problem);
  CHECK(std::string(rs_last_error()).find(problem) != std::string::npos, "'%s' does not say '%s'", rs_last_error(), problem);
}

void refuses_bad_input() {
  refuses("loss kind 9 is unknown", [](auto& o) { o.loss.kind = 9; });
  refuses("huber_delta 0", [](auto& o) { o.loss.kind = RS_HUBER; });
  refuses("huber_delta nan", [](auto& o) { o.loss = {RS_HUBER, NAN}; });
  refuses("l1 -1", [](auto& o) { o.shaping.l1 = -1; });
  refuses("clip_norm inf", [](auto& o) { o.shaping.clip_norm = INFINITY; });
  refuses("exclude each other", [](auto& o) { o.shaping = {0, 1, 1}; });
  refuses("dropout 1", [](auto& o) { o.dropout = 1; });
  refuses("dropout nan", [](auto& o) { o.dropout = NAN; });
  static const int32_t kOneOutput[] = {3, 1};
  refuses("at least two", [](auto& o) { o.sizes = kOneOutput; o.size_count = 2; o.loss.kind = RS_CROSS_ENTROPY; });
  refuses_fit("schedule kind 5", [](auto& f) { f.schedule.kind = 5; });
  refuses_fit("step_epochs", [](auto& f) { f.schedule.kind = RS_STEP_DECAY; });
  refuses_fit("min_lr -1", [](auto& f) { f.schedule = {RS_COSINE, 0, 0, -1, 0, 0}; });
  refuses_fit("warmup_start 2", [](auto& f) { f.schedule.warmup_start = 2; });
  refuses_fit("lr_scale nan", [](auto& f) { f.lr_scale = NAN; });
  refuses_fit("average kind 3", [](auto& f) { f.average.kind = 3; });
  refuses_fit("ema_decay 1", [](auto& f) { f.average = {RS_EMA, 1, 0}; });
  refuses_fit("swa_start", [](auto& f) { f.average = {RS_SWA, 0, -1}; });

  const Setup bce = {"bce", [](auto& o) { o.loss.kind = RS_BCE; }};
  const Setup classes = {"classes", [](auto& o) { o.loss.kind = RS_CROSS_ENTROPY; }};
  const float x[7] = {};
  float y[3] = {0, 0.5f, 1.5f};
  CHECK(rs_trainer_step(trainer_of(bce, 1).get(), x, y, 1) == RS_INVALID_ARGUMENT, "a probability of 1.5");
  y[0] = 3;
  CHECK(rs_trainer_step(trainer_of(classes, 1).get(), x, y, 1) == RS_INVALID_ARGUMENT, "class 3 of 3");
  y[0] = 0.5f;
  CHECK(rs_trainer_step(trainer_of(classes, 1).get(), x, y, 1) == RS_INVALID_ARGUMENT, "class 0.5");
  y[0] = NAN;
  CHECK(rs_trainer_step(trainer_of(classes, 1).get(), x, y, 1) == RS_INVALID_ARGUMENT, "class NaN");
  const Trainer trainer = trainer_of(bce, 1);
  CHECK(rs_trainer_swap_average(trainer.get()) == RS_INVALID_ARGUMENT, "swapped with nothing");
  const Dataset data = data_of(bce, 10);
  float* weights = nullptr;
  CHECK_OK(rs_dataset_weights(data.get(), &weights));
  weights[4] = -1;
  double loss;
  CHECK(rs_trainer_evaluate(trainer.get(), data.get(), nullptr, &loss) == RS_INVALID_ARGUMENT, "a weight of -1");
}

void gives_probabilities() {
  const Setup classes = {"classes", [](auto& o) { o.loss.kind = RS_CROSS_ENTROPY; }};
  const Trainer trainer = trainer_of(classes, 1);
  const Dataset data = data_of(classes, 20);
  std::vector<float> z(60), p(60);
  CHECK_OK(rs_trainer_predict(trainer.get(), rs_dataset_x(data.get()), 20, z.data()));
  CHECK_OK(rs_trainer_probabilities(trainer.get(), rs_dataset_x(data.get()), 20, p.data()));
  for (size_t row = 0; row < 20; ++row) {
    double sum = 0;
    for (size_t c = 0; c < 3; ++c) sum += std::exp(double{z[row * 3 + c]});
    for (size_t c = 0; c < 3; ++c) {
      const double expected = std::exp(double{z[row * 3 + c]}) / sum;
      CHECK(std::fabs(p[row * 3 + c] - expected) < 1e-7, "row %zu: %g, not %g", row, p[row * 3 + c], expected);
    }
  }
}

}  // namespace

int main() {
  for (const Setup& setup : kSetups) same_bits_however_it_is_done(setup);
  shapes_the_gradient({0.05, 0, 0}, "l1");
  shapes_the_gradient({0, 0.1, 0}, "clipped norm");
  shapes_the_gradient({0, 100, 0}, "a norm that needs no clipping");
  shapes_the_gradient({0, 0, 0.02}, "clipped values");
  shapes_the_gradient({0.05, 0.1, 0}, "l1 and clipped norm");
  schedules_follow_their_formulas();
  averages_follow_their_formulas();
  weights_count_rows();
  dropout_is_for_training();
  refuses_bad_input();
  gives_probabilities();
  std::printf("%zu setups on %s\n", kSetups.size(), rs_cpu_simd());
  return 0;
}
