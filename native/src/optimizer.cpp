#include "optimizer.h"

#include <cmath>
#include <cstring>

namespace rs {

Optimizer::Optimizer(const rs_optimizer& settings, int64_t parameter_length) : settings_(settings) {
  const bool adam = settings.kind != RS_SGD;
  if (adam || settings.momentum != 0) m_ = AlignedBuffer(parameter_length);
  if (adam) v_ = AlignedBuffer(parameter_length);
}

bool Optimizer::is_plain_sgd() const {
  return settings_.kind == RS_SGD && settings_.momentum == 0 && settings_.weight_decay == 0;
}

cpu::Update Optimizer::next_update(double gradient_scale) {
  progress_.beta1_power *= settings_.beta1;
  progress_.beta2_power *= settings_.beta2;
  cpu::Update u = {};
  u.kind = static_cast<rs_optimizer_kind>(settings_.kind);
  u.gradient_scale = static_cast<float>(gradient_scale);
  u.lr = static_cast<float>(settings_.lr);
  u.weight_decay = static_cast<float>(settings_.weight_decay);
  u.first_step = progress_.steps++ == 0;
  if (u.kind == RS_SGD) {
    u.momentum = static_cast<float>(settings_.momentum);
    u.nesterov = settings_.nesterov != 0;
  } else {
    u.beta1_complement = static_cast<float>(1 - settings_.beta1);
    u.beta2 = static_cast<float>(settings_.beta2);
    u.beta2_complement = static_cast<float>(1 - settings_.beta2);
    u.epsilon = static_cast<float>(settings_.eps);
    u.step_size = static_cast<float>(settings_.lr / (1 - progress_.beta1_power));
    u.root_correction = static_cast<float>(1 / std::sqrt(1 - progress_.beta2_power));
    u.decay = static_cast<float>(1 - settings_.lr * settings_.weight_decay);
  }
  return u;
}

void Optimizer::reset() {
  m_.clear();
  v_.clear();
  progress_ = Progress();
}

void Optimizer::get_state(int64_t parameters, float* moments, rs_optimizer_state& state) const {
  const size_t bytes = static_cast<size_t>(parameters) * sizeof(float);
  if (m_.get()) std::memcpy(moments, m_.get(), bytes);
  if (v_.get()) std::memcpy(moments + parameters, v_.get(), bytes);
  state = {progress_.steps, progress_.beta1_power, progress_.beta2_power};
}

void Optimizer::set_state(int64_t parameters, const float* moments, const rs_optimizer_state& state) {
  const size_t bytes = static_cast<size_t>(parameters) * sizeof(float);
  if (m_.get()) std::memcpy(m_.get(), moments, bytes);
  if (v_.get()) std::memcpy(v_.get(), moments + parameters, bytes);
  progress_ = {state.steps, state.beta1_power, state.beta2_power};
}

}  // namespace rs
