// latency_steps: its gradient against float64; its steps against single gradients, each followed by the optimizer, bit
// for bit.
#include "fused_case.h"
#include "optimizer.h"
#include "optimizers.h"
#include "simt.h"

using rs::gpu::FusedNetwork;
using rs::gpu::LatencyGradient;
using rs::gpu::LatencyModel;
using rs::gpu::LatencyRule;
using rs::gpu::LatencySteps;
using rs::gpu::Rows;
using test::Array;
using test::FusedCase;

namespace {

constexpr float kLossWeight = 1.5f;

const FusedNetwork& fused_of(const FusedCase& c) {
  const FusedNetwork* fused = rs::gpu::fused_network(c.inputs, c.hidden, 1, c.network.activation);
  CHECK(fused, "%d inputs, %d hidden units", c.inputs, c.hidden);
  return *fused;
}

Array gradient(const FusedCase& c, const Array& parameters, const Rows& rows, int64_t batch, int64_t count) {
  Array gradient(c.length());
  const LatencyGradient task = {rows, batch, count, c.inputs, c.hidden, kLossWeight, parameters.get(), gradient.get()};
  fused_of(c).latency_gradient(task, nullptr);
  return gradient;
}

Array copy_of(const Array& from) {
  Array to(from.length());
  std::memcpy(to.get(), from.get(), static_cast<size_t>(from.length()) * sizeof(float));
  return to;
}

// ---- the plain way ----

bool has_buffer(const rs_optimizer& o) { return o.kind != RS_SGD || o.momentum != 0; }

LatencyRule rule_of(const rs_optimizer& o) {
  return has_buffer(o) || o.weight_decay != 0 ? LatencyRule::kAny : LatencyRule::kPlain;
}

// One model as latency_steps leaves it, by single gradients and the optimizer's kernel.
struct Plain {
  const FusedCase& c;
  bool shuffled;
  int64_t batch;
  Array parameters, m, v, average;
  rs::gpu::StepState state;
  LatencyModel model;
  std::vector<double> losses;

  Plain(const FusedCase& c, bool shuffled, int64_t batch, const Array& start, const LatencyModel& model)
      : c(c), shuffled(shuffled), batch(batch), parameters(copy_of(start)), m(zeros()), v(zeros()),
        average(c.network.parameter_count), model(model) {
    static_cast<rs::gpu::OptimizerState&>(state) = model.optimizer;
    state.scheduled = false;
  }

  void steps(int count) {
    for (int s = 0; s < count && !model.failed; ++s) step();
  }

 private:
  Array zeros() const {
    Array zeros(c.network.parameter_count);
    std::fill_n(zeros.get(), zeros.length(), 0.0f);
    return zeros;
  }

  void step() {
    const int64_t rows = std::min(batch, model.rows - model.row);
    const rs::Shuffle shuffle(model.seed, static_cast<uint64_t>(model.epoch), model.rows);
    const Rows own = {c.x.get() + model.first * c.inputs, c.y.get() + model.first, model.row, shuffle, shuffled};
    const Array g = gradient(c, parameters, own, batch, rows);
    const int64_t count = c.network.parameter_count;
    model.last_loss = g[count];
    if (!std::isfinite(g[count])) {
      model.failed = 1;
      return;
    }
    const float scale = static_cast<float>(1.0 / static_cast<double>(rows));
    rs_optimizer& o = state.settings;
    if (model.optimizer.scheduled) o.lr = model.optimizer.schedule.rate(state.fit_steps);
    if (rule_of(o) == LatencyRule::kPlain) {
      const float lr = static_cast<float>(o.lr);
      for (int64_t i = 0; i < count; ++i) parameters[i] = fmaf(-lr, g[i] * scale, parameters[i]);
      state.steps += 1;
      state.fit_steps += 1;
    } else {
      rs::gpu::optimizer_step(static_cast<rs_optimizer_kind>(o.kind), scale, g.get(), count, parameters.get(),
                              has_buffer(o) ? m.get() : nullptr, o.kind != RS_SGD ? v.get() : nullptr, &state, nullptr);
    }
    model.steps += 1;
    if (model.average.kind == RS_EMA) move_average(1 - model.average.ema_decay);
    model.epoch_loss_sum += model.last_loss;
    model.row += rows;
    if (model.row < model.rows) return;
    if (model.average.kind == RS_SWA && model.epoch >= model.average.swa_start) {
      move_average(1 / static_cast<double>(model.averaged + 1));
    }
    losses.push_back(model.epoch_loss_sum);
    model.epoch += 1;
    model.row = 0;
    model.epoch_loss_sum = 0;
  }

  // As the CPU engine does it: see native/src/cpu/cpu_trainer.cpp.
  void move_average(double share) {
    for (int64_t i = 0; i < parameters.length(); ++i) {
      const float way = static_cast<float>(share) * (parameters[i] - average[i]);
      average[i] = model.averaged == 0 ? parameters[i] : average[i] + way;
    }
    model.averaged += 1;
  }
};

// ---- the kernel ----

struct Models {
  const FusedCase& c;
  bool shuffled;
  int64_t batch, stride;
  std::vector<LatencyModel> models;
  LatencyRule rule = LatencyRule::kPlain;  // that does for all
  bool averages = false;
  Array parameters, m, v, average;
  std::vector<double> losses;
  int64_t losses_capacity = 64;
  std::vector<int64_t> losses_read;

  Models(const FusedCase& c, bool shuffled, int64_t batch, const std::vector<LatencyModel>& models)
      : c(c), shuffled(shuffled), batch(batch), stride(c.length()), models(models),
        parameters(stride * static_cast<int64_t>(models.size())), m(parameters.length()), v(parameters.length()),
        average(parameters.length()) {
    for (const LatencyModel& model : models) {
      averages = averages || model.average.kind != RS_NO_AVERAGE;
      rule = std::max(rule, rule_of(model.optimizer.settings));
      if (model.optimizer.scheduled || averages) rule = LatencyRule::kAny;
    }
  }

  void start(size_t m, const Array& from) {
    std::memcpy(parameters.get() + static_cast<int64_t>(m) * stride, from.get(),
                static_cast<size_t>(c.network.parameter_count) * sizeof(float));
  }

  void steps(int count, const int32_t* stop = nullptr) {
    losses.assign(models.size() * static_cast<size_t>(losses_capacity), NAN);
    const LatencySteps task = {c.x.get(), c.y.get(), shuffled, c.inputs, c.hidden, batch,
                               static_cast<int64_t>(models.size()), models.data(), parameters.get(), stride, count,
                               losses.data(), losses_capacity, stop, rule,
                               rule == LatencyRule::kPlain ? nullptr : m.get(),
                               models[0].optimizer.settings.kind != RS_SGD ? v.get() : nullptr,
                               averages ? average.get() : nullptr};
    fused_of(c).latency_steps(task, nullptr);
  }

  void check_same(size_t m, const Plain& plain) const {
    const LatencyModel &a = models[m], &b = plain.model;
    CHECK(a.steps == b.steps && a.epoch == b.epoch && a.row == b.row && a.failed == b.failed,
          "model %d: steps %d and %d, epoch %d and %d, row %d and %d, failed %d and %d", int(m), int(a.steps),
          int(b.steps), int(a.epoch), int(b.epoch), int(a.row), int(b.row), a.failed, b.failed);
    CHECK(std::memcmp(&a.epoch_loss_sum, &b.epoch_loss_sum, sizeof(double)) == 0, "model %d: loss sum %.17g and %.17g",
          int(m), a.epoch_loss_sum, b.epoch_loss_sum);
    CHECK(a.steps == 0 || std::isnan(b.last_loss) || a.last_loss == b.last_loss, "model %d: loss %g and %g", int(m),
          double(a.last_loss), double(b.last_loss));
    const float* own = parameters.get() + static_cast<int64_t>(m) * stride;
    for (int64_t i = 0; i < c.network.parameter_count; ++i) {
      CHECK(std::memcmp(&own[i], &plain.parameters[i], sizeof(float)) == 0,
            "model %d, parameter %d: %.9g and %.9g, after %d steps of batch %d, activation %d", int(m), int(i),
            double(own[i]), double(plain.parameters[i]), int(a.steps), int(batch), int(c.network.activation));
    }
    for (int64_t i = c.network.parameter_count; i < stride; ++i) CHECK(std::isnan(own[i]), "beyond the parameters");
    if (rule != LatencyRule::kPlain) check_same_optimizer(m, plain);
    check_same_average(m, plain);
  }

  void check_same_average(size_t m, const Plain& plain) const {
    CHECK(models[m].averaged == plain.model.averaged, "model %d: an average of %d parameters, not %d", int(m),
          int(models[m].averaged), int(plain.model.averaged));
    const float* own = average.get() + static_cast<int64_t>(m) * stride;
    for (int64_t i = 0; i < stride; ++i) {
      if (models[m].averaged == 0 || i >= c.network.parameter_count) {
        CHECK(std::isnan(own[i]), "model %d: an average that nobody keeps", int(m));
      } else {
        CHECK(std::memcmp(&own[i], &plain.average[i], sizeof(float)) == 0, "model %d, average %d: %.9g and %.9g", int(m), int(i),
              double(own[i]), double(plain.average[i]));
      }
    }
  }

  void check_same_optimizer(size_t index, const Plain& plain) const {
    const rs::gpu::OptimizerState &a = models[index].optimizer, &b = plain.state;
    const bool adam = a.settings.kind != RS_SGD;
    CHECK(a.steps == b.steps && (!adam || (a.beta1_power == b.beta1_power && a.beta2_power == b.beta2_power)),
          "model %d: %d and %d steps", int(index), int(a.steps), int(b.steps));
    if (a.steps == 0) return;
    const int64_t first = static_cast<int64_t>(index) * stride, bytes = c.network.parameter_count * 4;
    const auto same = [&](const Array& own, const Array& other) {
      for (int64_t i = c.network.parameter_count; i < stride; ++i) CHECK(std::isnan(own[first + i]), "beyond the moments");
      return std::memcmp(own.get() + first, other.get(), static_cast<size_t>(bytes)) == 0;
    };
    if (has_buffer(a.settings)) CHECK(same(m, plain.m), "model %d: another buffer", int(index));
    if (adam) CHECK(same(v, plain.v), "model %d: another mean square", int(index));
  }

  // Against the last launch alone.
  void check_losses(size_t m, const std::vector<double>& expected) const {
    for (size_t i = 0; i < static_cast<size_t>(losses_capacity); ++i) {
      const double loss = losses[m * static_cast<size_t>(losses_capacity) + i];
      CHECK(i < expected.size() ? loss == expected[i] : std::isnan(loss), "model %d, epoch %d: %g", int(m), int(i),
            loss);
    }
  }
};

LatencyModel model_of(float lr, uint64_t seed, int64_t first, int64_t rows, rs_optimizer optimizer = {}) {
  LatencyModel model = {};
  optimizer.lr = lr;
  model.optimizer = rs::gpu::fresh_state(optimizer);
  model.lr = lr;
  model.loss_weight = kLossWeight;
  model.seed = seed;
  model.first = first;
  model.rows = rows;
  return model;
}

Array random_parameters(const FusedCase& c, uint64_t seed) {
  test::Random random(seed);
  Array parameters(c.network.parameter_count);
  for (int64_t i = 0; i < parameters.length(); ++i) parameters[i] = random.uniform(-0.5f, 0.5f);
  return parameters;
}

// ---- tests ----

void check_gradient(const FusedCase& c, const Rows& rows, int64_t batch, int64_t count) {
  const Array g = gradient(c, c.parameters, rows, batch, count);
  const test::Errors errors(g.get(), c.reference(rows, count, kLossWeight));
  CHECK(errors.gradient <= 2e-6 && errors.loss <= 2e-6,
        "errors %g and %g, %d inputs, %d hidden, activation %d, batch %d, %d rows", errors.gradient, errors.loss,
        c.inputs, c.hidden, int(c.network.activation), int(batch), int(count));
  for (int64_t i = c.network.parameter_count + 1; i < c.length(); ++i) CHECK(g[i] == 0, "padding %d", int(i));
}

void check_gradients() {
  const rs::Shuffle shuffle(3, 4, 1100);
  for (int activation = RS_IDENTITY; activation <= RS_SIGMOID; ++activation) {
    const auto a = static_cast<rs_activation>(activation);
    const FusedCase seed(10, 20, a, 1100, 1);
    for (const auto& [batch, count] : {std::pair<int64_t, int64_t>{1, 1}, {2, 1}, {2, 2}, {31, 31}, {128, 127},
                                       {256, 129}, {257, 257}, {1024, 1024}, {1024, 5}}) {
      check_gradient(seed, seed.in_order(17), batch, count);
      check_gradient(seed, seed.shuffled(17, shuffle), batch, count);
    }
    for (const auto& [inputs, hidden] : {std::pair<int, int>{1, 1}, {3, 7}, {4, 31}, {10, 21}, {16, 32}}) {
      const FusedCase c(inputs, hidden, a, 300, static_cast<uint64_t>(hidden));
      check_gradient(c, c.in_order(17), 1, 1);
      check_gradient(c, c.in_order(17), 33, 33);
      check_gradient(c, c.in_order(17), 300, 263);
    }
  }
}

// What models side by side may have.
using Optimizers = std::vector<rs_optimizer>;
const Optimizers kPlainSgd = {test::sgd(0, 0, false, 0)};
const Optimizers kSgd = {test::sgd(0, 0.9, false, 0.01), test::sgd(0, 0, false, 0), test::sgd(0, 0.5, true, 0),
                         test::sgd(0, 0, false, 0.1), test::sgd(0, 0.9, true, 0.1)};
const Optimizers kAdams = {test::adam(RS_ADAM, 0, 0), test::adam(RS_ADAM, 0, 0.1)};
const Optimizers kAdamWs = {test::adam(RS_ADAMW, 0, 0.1), test::adam(RS_ADAMW, 0, 0)};

// Every kind, and each model another.
void schedule(LatencyModel& model, size_t m, int64_t batch) {
  const rs_schedule kinds[] = {{RS_COSINE, 0, 0, 0.0001, 0, 0}, {RS_COSINE, 0, 0, 0, 9, 0.1}, {RS_STEP_DECAY, 1, 0.5, 0, 0, 0},
                               {RS_CONSTANT, 0, 0, 0, 12, 0}, {RS_CONSTANT, 0, 0, 0, 0, 0}};
  rs_fit fit = {};
  fit.batch = batch;
  fit.epochs = 2;
  fit.schedule = kinds[m % 5];
  fit.lr_scale = m % 2 == 0 ? 0 : 0.7;
  model.optimizer.scheduled = true;
  model.optimizer.schedule = rs::Schedule(fit, model.optimizer.settings.lr, model.rows);
}

// Every kind, and some models keep none.
void keep_average(LatencyModel& model, size_t m) {
  const rs_average kinds[] = {{RS_EMA, 0.9, 0}, {RS_SWA, 0, 0}, {RS_NO_AVERAGE, 0, 0}, {RS_SWA, 0, 1}, {RS_EMA, 0, 0}};
  model.average = kinds[m % 5];
}

// Each of several models, whatever its neighbours do, is the model that plain steps make of it.
void check_steps(const FusedCase& c, int64_t batch, bool shuffled, size_t count, int first_steps, int more_steps,
                 const Optimizers& optimizers = kPlainSgd, bool scheduled = false, bool averages = false) {
  std::vector<LatencyModel> settings;
  for (size_t m = 0; m < count; ++m) {
    const int64_t rows = 1 + static_cast<int64_t>(m * 37 + 20) % 90, first = static_cast<int64_t>(m) * 13 % 100;
    settings.push_back(
        model_of(0.002f * static_cast<float>(1 + m % 5), m % 3, first, rows, optimizers[m % optimizers.size()]));
    if (scheduled) schedule(settings.back(), m, batch);
    if (averages) keep_average(settings.back(), m);
  }
  Models models(c, shuffled, batch, settings);
  std::vector<Plain> plain;
  for (size_t m = 0; m < count; ++m) {
    const Array start = random_parameters(c, 40 + m);
    models.start(m, start);
    plain.emplace_back(c, shuffled, batch, start, settings[m]);
  }
  for (const int steps : {first_steps, more_steps}) {
    models.steps(steps);
    for (size_t m = 0; m < count; ++m) {
      plain[m].losses.clear();
      plain[m].steps(steps);
      models.check_same(m, plain[m]);
      models.check_losses(m, plain[m].losses);
    }
  }
}

void check_all_steps() {
  for (int activation = RS_IDENTITY; activation <= RS_SIGMOID; ++activation) {
    const FusedCase c(10, 20, static_cast<rs_activation>(activation), 200, 5);
    check_steps(c, 1, false, 1, 50, 1);
    check_steps(c, 1, true, 6, 33, 25);
    check_steps(c, 7, true, 3, 20, 13);
    check_steps(c, 1024, true, 2, 5, 4);
  }
  for (const auto& [inputs, hidden] : {std::pair<int, int>{3, 5}, {4, 8}, {9, 8}, {2, 32}, {10, 31}, {16, 32}}) {
    const FusedCase c(inputs, hidden, RS_SIGMOID, 200, 6);
    check_steps(c, 1, true, 5, 30, 7);
    check_steps(c, 2, true, 2, 9, 9);
    check_steps(c, 64, false, 2, 9, 2);
  }
  const FusedCase wide(10, 20, RS_RELU, 700, 7);
  Models models(wide, true, 300, {model_of(0.01f, 1, 0, 700)});
  models.start(0, wide.parameters);
  Plain plain(wide, true, 300, wide.parameters, models.models[0]);
  models.steps(10);
  plain.steps(10);
  models.check_same(0, plain);
}

// Of momentum, weight decay and Adam, every shape has its own place for the moments.
void check_all_optimizers() {
  for (const Optimizers& optimizers : {kSgd, kAdams, kAdamWs}) {
    for (int activation = RS_IDENTITY; activation <= RS_SIGMOID; ++activation) {
      const FusedCase c(10, 20, static_cast<rs_activation>(activation), 200, 5);
      check_steps(c, 1, true, 5, 18, 5, optimizers);
      check_steps(c, 7, true, 5, 5, 4, optimizers);
    }
    for (const auto& [inputs, hidden] : {std::pair<int, int>{3, 5}, {2, 32}, {10, 31}, {16, 32}}) {
      const FusedCase c(inputs, hidden, RS_TANH, 200, 6);
      check_steps(c, 1, true, 5, 17, 3, optimizers);
      check_steps(c, 40, false, 5, 2, 2, optimizers);
    }
    const FusedCase c(10, 20, RS_RELU, 700, 7);
    check_steps(c, 300, true, 2, 2, 2, optimizers);
  }
  for (const Optimizers& optimizers : {kPlainSgd, kSgd, kAdams, kAdamWs}) {
    const FusedCase c(10, 20, RS_TANH, 200, 5);
    check_steps(c, 1, true, 5, 20, 14, optimizers, true);
    check_steps(c, 7, true, 5, 6, 5, optimizers, true);
  }
}

// Averages, in launches that end amid an epoch; every shape has its own place for them.
void check_averages() {
  for (const Optimizers& optimizers : {kPlainSgd, kAdams}) {
    const FusedCase c(10, 20, RS_TANH, 200, 5);
    check_steps(c, 1, true, 5, 60, 45, optimizers, false, true);
    check_steps(c, 7, true, 5, 6, 9, optimizers, true, true);
    check_steps(c, 1024, false, 5, 2, 2, optimizers, false, true);
  }
  for (const auto& [inputs, hidden] : {std::pair<int, int>{3, 5}, {2, 32}, {16, 32}}) {
    const FusedCase c(inputs, hidden, RS_SIGMOID, 200, 6);
    check_steps(c, 1, true, 5, 22, 3, kSgd, false, true);
    check_steps(c, 40, false, 5, 2, 2, kSgd, false, true);
  }
}

// A model that is alone has the bits that it has among others, in any order of the threads.
void check_alone(int64_t batch, const Optimizers& optimizers) {
  const FusedCase c(10, 20, RS_TANH, 150, 8);
  std::vector<LatencyModel> settings;
  for (size_t m = 0; m < 9; ++m) settings.push_back(model_of(0.01f, m, 0, 150, optimizers[m % optimizers.size()]));
  Models all(c, true, batch, settings);
  for (size_t m = 0; m < 9; ++m) all.start(m, random_parameters(c, m));
  all.steps(40);
  simt::set_order(simt::Order::kReverse);
  for (size_t m = 0; m < 9; ++m) {
    Models alone(c, true, batch, {settings[m]});
    alone.start(0, random_parameters(c, m));
    alone.steps(40);
    CHECK(std::memcmp(alone.parameters.get(), all.parameters.get() + static_cast<int64_t>(m) * all.stride,
                      static_cast<size_t>(c.network.parameter_count) * sizeof(float)) == 0, "model %d", int(m));
  }
  simt::set_order(simt::Order::kForward);
}

// A model that diverges is marked, keeps the parameters from before the step, and disturbs nobody.
void check_divergence(int64_t batch, const Optimizers& optimizers) {
  FusedCase c(10, 20, RS_IDENTITY, 120, 9);
  std::vector<LatencyModel> settings;
  for (size_t m = 0; m < 8; ++m) {
    settings.push_back(model_of(m % 3 == 1 ? 1e19f : 0.001f, 1, 0, 120, optimizers[m % optimizers.size()]));
    if (has_buffer(optimizers[0])) keep_average(settings.back(), m);
  }
  settings[6].first = 60;
  settings[6].rows = 60;
  c.y[100] = INFINITY;
  for (int m = 0; m < 8; ++m) {
    if (m != 6) settings[static_cast<size_t>(m)].rows = 100;
  }
  Models models(c, true, batch, settings);
  for (size_t m = 0; m < 8; ++m) models.start(m, c.parameters);
  models.steps(40);
  models.steps(40);
  for (size_t m = 0; m < 8; ++m) {
    Plain plain(c, true, batch, c.parameters, settings[m]);
    plain.steps(80);
    CHECK(plain.model.failed == (m % 3 == 1 || m == 6), "model %d", int(m));
    models.check_same(m, plain);
    for (int64_t i = 0; i < c.network.parameter_count; ++i) {
      CHECK(std::isfinite(models.parameters[static_cast<int64_t>(m) * models.stride + i]), "model %d", int(m));
    }
  }
}

// The host's word ends a launch early; the next one goes on from there.
void check_stop(int64_t batch, size_t count, int steps) {
  const FusedCase c(4, 8, RS_RELU, 100, 10);
  const std::vector<LatencyModel> settings(count, model_of(0.001f, 2, 0, 100));
  Models models(c, true, batch, settings);
  for (size_t m = 0; m < count; ++m) models.start(m, c.parameters);
  models.losses_capacity = 100000;
  const int32_t stop = 1;
  models.steps(steps, &stop);
  for (const LatencyModel& model : models.models) {
    CHECK(model.steps > 0 && model.steps < steps, "%d steps", int(model.steps));
  }
  const int64_t taken = models.models[0].steps;
  const int32_t go = 0;
  models.steps(static_cast<int>(steps - taken), &go);
  Models whole(c, true, batch, settings);
  for (size_t m = 0; m < count; ++m) whole.start(m, c.parameters);
  whole.losses_capacity = 100000;
  whole.steps(steps);
  CHECK(models.models[0].steps == steps && whole.parameters.same_bits(models.parameters), "after a stop");
}

}  // namespace

int main() {
  check_gradients();
  check_all_steps();
  check_all_optimizers();
  check_averages();
  for (const int64_t batch : {1, 10}) {
    for (const Optimizers& optimizers : {kPlainSgd, kSgd, kAdams}) {
      check_alone(batch, optimizers);
      check_divergence(batch, optimizers);
    }
  }
  check_stop(1, 5, 1500);
  check_stop(50, 2, 300);
  printf("latency_steps: all as expected\n");
  return 0;
}
