// The optimizer's settings and state, and the numbers of its next step.
#pragma once

#include "aligned_buffer.h"
#include "cpu/kernels.h"
#include "ringstep.h"

namespace rs {

class Optimizer {
 public:
  Optimizer(const rs_optimizer& settings, int64_t parameter_length);

  // Neither momentum nor weight decay.
  bool is_plain_sgd() const;

  // Steps since the state began.
  int64_t steps() const { return progress_.steps; }

  double exact_learning_rate() const { return settings_.lr; }
  float learning_rate() const { return static_cast<float>(settings_.lr); }
  void set_learning_rate(double lr) { settings_.lr = lr; }

  // Begins a step whose gradient is `gradient_scale` times a sum.
  cpu::Update next_update(double gradient_scale);

  // How far the optimizer has come.
  struct Progress {
    int64_t steps = 0;
    // beta^steps, as running products: the same on every machine, as pow() need not be.
    double beta1_power = 1;
    double beta2_power = 1;
  };

  const rs_optimizer& settings() const { return settings_; }
  const Progress& progress() const { return progress_; }
  void set_progress(const Progress& progress) { progress_ = progress; }

  float* m() { return m_.get(); }
  float* v() { return v_.get(); }

  // Forgets all steps.
  void reset();

  // How many vectors as long as the parameters it keeps.
  int moments() const { return (m_.get() ? 1 : 0) + (v_.get() ? 1 : 0); }

  // `moments` is [moments()][parameters]; see rs_trainer_get_state.
  void get_state(int64_t parameters, float* moments, rs_optimizer_state& state) const;
  void set_state(int64_t parameters, const float* moments, const rs_optimizer_state& state);

 private:
  rs_optimizer settings_;
  AlignedBuffer m_;  // SGD's momentum buffer; Adam's mean gradient
  AlignedBuffer v_;  // Adam's mean squared gradient
  Progress progress_;
};

}  // namespace rs
