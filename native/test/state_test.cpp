// An optimizer's state taken out and put back: training goes on with the same bits.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine.h"
#include "optimizers.h"

namespace {

struct State {
  std::vector<float> moments;
  rs_optimizer_state rest = {};
};

State state_of(const test::Trainer& trainer) {
  State state;
  state.moments.resize(static_cast<size_t>(rs_trainer_state_count(trainer.get())));
  CHECK_OK(rs_trainer_get_state(trainer.get(), state.moments.data(), static_cast<int64_t>(state.moments.size()), &state.rest));
  return state;
}

void set(const test::Trainer& trainer, const std::vector<float>& parameters, const State& state) {
  CHECK_OK(rs_trainer_set_parameters(trainer.get(), parameters.data(), static_cast<int64_t>(parameters.size())));
  CHECK_OK(rs_trainer_set_state(trainer.get(), state.moments.data(), static_cast<int64_t>(state.moments.size()), &state.rest));
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Trains with pauses after every `pause` epochs; at each, a new trainer takes over.
std::vector<float> train(const rs_optimizer& optimizer, int64_t batch, int64_t epochs, int64_t pause) {
  const test::Dataset data = test::random_dataset(37, 10, 1, 5);
  test::Trainer trainer = test::make_trainer({10, 20, 1}, RS_TANH, optimizer, 1);
  rs_fit fit = {};
  fit.batch = batch;
  fit.epochs = epochs;
  fit.shuffle = 1;
  fit.seed = 9;
  std::vector<double> losses(static_cast<size_t>(pause));
  fit.losses = losses.data();
  fit.losses_capacity = pause;
  while (!fit.done) {
    CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
    test::Trainer next = test::make_trainer({10, 20, 1}, RS_TANH, optimizer, 1);
    set(next, test::parameters_of(trainer), state_of(trainer));
    trainer = std::move(next);
  }
  return test::parameters_of(trainer);
}

void goes_on_with_the_same_bits() {
  for (const test::NamedOptimizer& o : test::kOptimizers) {
    for (const int64_t batch : {1, 5, 16}) {
      const std::vector<float> whole = train(o.settings, batch, 12, 12);
      for (const int64_t pause : {1, 5}) {
        CHECK(same(whole, train(o.settings, batch, 12, pause)), "%s, batch %lld, paused every %lld epochs", o.name,
              static_cast<long long>(batch), static_cast<long long>(pause));
      }
    }
  }
}

void has_what_the_optimizer_needs() {
  for (const test::NamedOptimizer& o : test::kOptimizers) {
    const test::Trainer trainer = test::make_trainer({10, 20, 1}, RS_TANH, o.settings, 1);
    const int64_t vectors = o.settings.kind != RS_SGD ? 2 : o.settings.momentum != 0 ? 1 : 0;
    CHECK(rs_trainer_state_count(trainer.get()) == vectors * 241, "%s", o.name);
  }
}

// Adam's, after two steps on one row, against the formulas in double.
void holds_adams_moments() {
  const rs_optimizer adam = test::adam(RS_ADAM, 0.01, 0);
  const test::Trainer trainer = test::make_trainer({10, 20, 1}, RS_TANH, adam, 1);
  std::vector<float> x(10, 0.5f), y(1, 1.0f), gradient(241);
  std::vector<double> m(241), v(241);
  for (int step = 0; step < 2; ++step) {
    double loss;
    CHECK_OK(rs_trainer_gradient(trainer.get(), x.data(), y.data(), 1, gradient.data(), 241, &loss));
    for (size_t i = 0; i < 241; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * gradient[i];
      v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
    }
    CHECK_OK(rs_trainer_step(trainer.get(), x.data(), y.data(), 1));
  }
  const State state = state_of(trainer);
  for (size_t i = 0; i < 241; ++i) {
    CHECK(std::abs(state.moments[i] - m[i]) <= 1e-6 * std::abs(m[i]) + 1e-12, "m[%zu]", i);
    CHECK(std::abs(state.moments[241 + i] - v[i]) <= 1e-6 * std::abs(v[i]) + 1e-12, "v[%zu]", i);
  }
  CHECK(state.rest.steps == 2, "%lld steps", static_cast<long long>(state.rest.steps));
  CHECK(state.rest.beta1_power == 0.9 * 0.9 && state.rest.beta2_power == 0.999 * 0.999, "powers");
}

void refuses(const test::Trainer& trainer, const float* moments, int64_t count, const rs_optimizer_state* state,
             const char* reason) {
  CHECK(rs_trainer_set_state(trainer.get(), moments, count, state) == RS_INVALID_ARGUMENT, "%s", reason);
  CHECK(std::string(rs_last_error()).find(reason) != std::string::npos, "'%s' lacks '%s'", rs_last_error(), reason);
}

void refuses_what_does_not_fit() {
  const test::Trainer trainer = test::make_trainer({10, 20, 1}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 1);
  State state = state_of(trainer);
  refuses(trainer, state.moments.data(), 241, &state.rest, "241 moments where the optimizer has 482");
  refuses(trainer, nullptr, 482, &state.rest, "0 moments where the optimizer has 482");
  refuses(trainer, state.moments.data(), 482, nullptr, "state must not be null");
  state.rest.steps = -1;
  refuses(trainer, state.moments.data(), 482, &state.rest, "-1 steps");
  state.rest = {0, NAN, 1};
  refuses(trainer, state.moments.data(), 482, &state.rest, "powers");
  CHECK(rs_trainer_get_state(trainer.get(), state.moments.data(), 1, &state.rest) == RS_INVALID_ARGUMENT, "a wrong count");

  const test::Trainer plain = test::make_trainer({10, 20, 1}, RS_TANH, test::sgd(0.01, 0, false, 0), 1);
  rs_optimizer_state rest = {};
  CHECK_OK(rs_trainer_get_state(plain.get(), nullptr, 0, &rest));
  CHECK_OK(rs_trainer_set_state(plain.get(), nullptr, 0, &rest));
}

}  // namespace

int main() {
  has_what_the_optimizer_needs();
  goes_on_with_the_same_bits();
  holds_adams_moments();
  refuses_what_does_not_fit();
}
