#include "ensemble_exchange.h"

#include <algorithm>
#include <limits>

namespace rs {
namespace {

constexpr auto kExact = collective::GradientSum::kExact;

// A part of a fit that averages: to the next exchange, or where models pause after every epoch to the end of one.
struct Round {
  int64_t step_limit;
  bool exchanges, ends_epoch;
};

Round next_round(const EnsembleFit& fitting) {
  const rs_ensemble_run& run = fitting.run;
  const rs_fit& any = fitting.fits[0];
  const int64_t exchange = (run.exchanges + 1) * run.exchange_every;
  if (any.losses_capacity == 0 || run.epochs >= any.epochs) return {exchange, true, false};
  const int64_t epoch = (run.epochs + 1) * (1 + (fitting.rows(0) - 1) / any.batch);
  return {std::min(exchange, epoch), exchange <= epoch, epoch <= exchange};
}

// Every model pauses where it has taken so many steps; 0 for no limit.
void limit_steps(const EnsembleFit& fitting, int32_t models, int64_t limit) {
  std::for_each(fitting.fits, fitting.fits + models, [&](rs_fit& fit) { fit.step_limit = limit; });
}

}  // namespace

EnsembleExchange::EnsembleExchange(ExchangingEnsemble& ensemble, int threads)
    : ensemble_(ensemble), threads_(threads), mean_(ensemble.network().parameter_count), loss_mean_(1) {}

void EnsembleExchange::set_communicator(collective::Communicator* communicator) {
  leave_ranks();
  ranks_.reset();
  loss_ranks_.reset();
  communicator_ = communicator && communicator->size() > 1 ? communicator : nullptr;
  if (communicator_) {
    ranks_ = std::make_unique<collective::GradientSum>(*communicator_, kExact, mean_.length());
    loss_ranks_ = std::make_unique<collective::GradientSum>(*communicator_, kExact, loss_mean_.length());
  }
}

// ---- fit ----

void EnsembleExchange::fit(const EnsembleFit& fitting) {
  const int32_t models = ensemble_.models();
  rs_ensemble_run& run = fitting.run;
  begin(run);
  std::vector<int64_t> steps_before;
  for (int32_t k = 0; k < models; ++k) {
    steps_before.push_back(fitting.fits[k].steps);
    fitting.fits[k].losses_count = 0;
  }
  run.stopped = 0;
  run.done = train(fitting);
  for (int32_t k = 0; k < models; ++k) {
    rs_fit& fit = fitting.fits[k];
    ModelBooks& model = ensemble_.books(k);
    const int64_t steps = fit.steps - steps_before[static_cast<size_t>(k)];
    model.steps += steps;
    run.steps += steps;
    if (model.failed < 0) model.failed = model.steps + 1;
    fit.done = fit.epoch >= fit.epochs;
  }
}

void EnsembleExchange::begin(const rs_ensemble_run& run) {
  if (run.epochs == 0) kept_.clear();
  weights_.clear();
  if (run.exchange_weights) weights_.assign(run.exchange_weights, run.exchange_weights + ensemble_.models());
}

// Whether all is done, with exchanges on all ranks.
bool EnsembleExchange::train(const EnsembleFit& fitting) {
  if (fitting.run.exchange == RS_EXCHANGE_AVERAGE) return train_averaged(fitting);
  limit_steps(fitting, ensemble_.models(), 0);
  if (fitting.run.exchange == RS_EXCHANGE_GRADIENT) return fit_as_one(fitting);
  ensemble_.train(fitting);
  return undone(fitting) == 0;
}

int64_t EnsembleExchange::undone(const EnsembleFit& fitting) const {
  int64_t count = 0;
  for (int32_t k = 0; k < ensemble_.models(); ++k) count += !is_done(ensemble_.books(k), fitting.fits[k]);
  return count;
}

// ---- averages ----

std::vector<int32_t> EnsembleExchange::sound_models() const {
  std::vector<int32_t> sound;
  for (int32_t k = 0; k < ensemble_.models(); ++k) {
    if (!ensemble_.books(k).failed) sound.push_back(k);
  }
  return sound;
}

// Of the models of all ranks that have not stopped; false where there are none.
bool EnsembleExchange::mean(Weights weights, float* mean) {
  const std::vector<int32_t> sound = sound_models();
  const bool weighted = !weights_.empty();
  mean_.begin(static_cast<int64_t>(sound.size()), weighted ? 2 : 1);
  ensemble_.read_models(sound, weights, [&](int64_t i, const float* parameters) {
    mean_.put(i, parameters, weighted ? weights_[static_cast<size_t>(sound[static_cast<size_t>(i)])] : 1);
  });
  return mean_.run(ranks_.get(), threads_, mean);
}

void EnsembleExchange::average() {
  std::vector<float> all(static_cast<size_t>(ensemble_.network().parameter_count));
  if (!mean(Weights::kParameters, all.data())) return;
  std::vector<int32_t> which(static_cast<size_t>(ensemble_.models()));
  for (int32_t k : sound_models()) which[static_cast<size_t>(k)] = 1;
  ensemble_.change_models(which.data(), all.data(), ExchangingEnsemble::OptimizerState::kGoesOn);
}

EnsembleExchange::Meeting EnsembleExchange::meet(const EnsembleFit& fitting, bool arrived) {
  int64_t sums[] = {!arrived, communicator_ && ensemble_.wants_stop(), undone(fitting)};
  if (communicator_) communicator_->all_reduce(sums, 3, collective::Element::kInt64);
  return {sums[0], sums[1], sums[2]};
}

// Rounds that all ranks take together, to the end of an epoch where models pause there. Each trains for a slice of time at
// most; then all meet. So none waits longer for another than it takes to train a slice. Whether all ranks' models are done.
bool EnsembleExchange::train_averaged(const EnsembleFit& fitting) {
  rs_ensemble_run& run = fitting.run;
  do {
    const Round round = next_round(fitting);
    limit_steps(fitting, ensemble_.models(), round.step_limit);
    const Meeting all = meet(fitting, ensemble_.train(fitting));
    run.stopped = all.stops > 0;
    if (run.stopped) return false;
    if (all.late > 0) continue;
    if (round.exchanges || all.undone == 0) {
      average();
      run.exchanges += 1;
    }
    run.epochs += round.ends_epoch;
    if (all.undone == 0) return true;
    if (round.ends_epoch) return false;
  } while (!fitting.deadline.is_past());
  return false;
}

// ---- gradients ----

// Data-parallel training: the rows of a step belong to no model, its blocks are shared out among the ranks and threads,
// and their exact sum moves all models alike. So one of them is enough to work with. Whether it is done.
bool EnsembleExchange::fit_as_one(const EnsembleFit& fitting) {
  const ModelBooks& first = ensemble_.books(0);
  const rs_fit& leader = fitting.fits[0];
  const bool joins = ranks_ && leader.steps == 0;
  if (joins || !is_done(first, leader)) {
    ensemble_.as_one([&](rs_trainer& trainer) {
      if (joins) begin_as_rank_zero(trainer);
      if (!is_done(first, leader)) train_as_one(trainer, fitting);
    });
    copy_books(fitting);
  }
  fitting.run.epochs = leader.epoch;
  fitting.run.stopped = leader.stopped;
  return is_done(first, leader);
}

void EnsembleExchange::train_as_one(rs_trainer& trainer, const EnsembleFit& fitting) {
  ModelBooks& first = ensemble_.books(0);
  rs_fit& leader = fitting.fits[0];
  if (ranks_ && leader.steps == 0) {
    trainer.set_communicator(communicator_, kExact);
    joined_ = &trainer;
  }
  trainer.set_stop(ensemble_.wants_stop());
  if (fit_alone(trainer, fitting.data, leader, fitting.deadline) == RS_NON_FINITE) first.failed = -1;
  if (is_done(first, leader) || leader.stopped) leave_ranks();
}

void EnsembleExchange::leave_ranks() {
  if (joined_) joined_->set_communicator(nullptr, kExact);
  joined_ = nullptr;
}

// Model 0 begins as that of rank 0.
void EnsembleExchange::begin_as_rank_zero(rs_trainer& trainer) {
  struct {
    rs_optimizer_state optimizer;
    ModelBooks books;
  } state = {{}, ensemble_.books(0)};
  std::vector<float> parameters(static_cast<size_t>(ensemble_.network().parameter_count));
  std::vector<float> moments(static_cast<size_t>(trainer.state_count()));
  trainer.get_parameters(parameters.data());
  trainer.get_state(moments.data(), state.optimizer);
  const auto send = [&](void* bytes, size_t count) { communicator_->broadcast(bytes, static_cast<int64_t>(count), 0); };
  send(&state, sizeof state);
  send(parameters.data(), parameters.size() * sizeof(float));
  if (!moments.empty()) send(moments.data(), moments.size() * sizeof(float));
  trainer.set_parameters(parameters.data());
  trainer.set_state(moments.data(), state.optimizer);
  ensemble_.books(0) = state.books;
}

// All models have come as far as the first.
void EnsembleExchange::copy_books(const EnsembleFit& fitting) {
  const rs_fit& leader = fitting.fits[0];
  for (int32_t k = 1; k < ensemble_.models(); ++k) {
    rs_fit& fit = fitting.fits[k];
    ensemble_.books(k) = ensemble_.books(0);
    if (fit.losses && leader.losses) {
      std::copy(leader.losses + fit.epoch, leader.losses + std::min(leader.epochs, leader.epoch), fit.losses + fit.epoch);
    }
    fit.epoch = leader.epoch;
    fit.row = leader.row;
    fit.steps = leader.steps;
    fit.epoch_loss_sum = leader.epoch_loss_sum;
    fit.epoch_weight_sum = leader.epoch_weight_sum;
    fit.losses_count = leader.losses_count;
  }
}

// ---- between two epochs ----

// What models that exchange have in common: what the first is, or the mean of all; of their averages where they keep some.
// Empty where there is no mean.
std::vector<float> EnsembleExchange::learned() {
  std::vector<float> learned(static_cast<size_t>(ensemble_.network().parameter_count));
  if (ensemble_.exchange() == RS_EXCHANGE_GRADIENT) {
    ensemble_.read_models({0}, Weights::kAverage,
                          [&](int64_t, const float* parameters) { std::copy_n(parameters, learned.size(), learned.data()); });
  } else if (!mean(Weights::kAverage, learned.data())) {
    learned.clear();
  }
  return learned;
}

void EnsembleExchange::validate(const rs_dataset& data, const float* target_scale, const int32_t* which, double* losses) {
  learned_ = learned();
  const double loss = learned_.empty() ? std::numeric_limits<double>::quiet_NaN()
                                       : ensemble_.loss_of(learned_.data(), data, target_scale);
  for (int32_t k = 0; k < ensemble_.models(); ++k) {
    if (which[k]) losses[k] = loss;
  }
}

void EnsembleExchange::keep(const int32_t* which) {
  if (std::any_of(which, which + ensemble_.models(), [](int32_t own) { return own != 0; })) kept_ = learned_;
}

void EnsembleExchange::take(const int32_t* which) {
  using OptimizerState = ExchangingEnsemble::OptimizerState;
  if (!kept_.empty()) return ensemble_.change_models(which, kept_.data(), OptimizerState::kBeginsAnew);
  const std::vector<float> latest = learned();
  if (!latest.empty()) ensemble_.change_models(which, latest.data(), OptimizerState::kGoesOn);
}

double EnsembleExchange::mean_loss(const double* losses) {
  const std::vector<int32_t> sound = sound_models();
  loss_mean_.begin(static_cast<int64_t>(sound.size()), 2);
  for (size_t i = 0; i < sound.size(); ++i) loss_mean_.put(static_cast<int64_t>(i), &losses[sound[i]]);
  double mean = std::numeric_limits<double>::quiet_NaN();
  loss_mean_.run(ensemble_.exchange() == RS_EXCHANGE_AVERAGE ? loss_ranks_.get() : nullptr, threads_, &mean);
  return mean;
}

}  // namespace rs
