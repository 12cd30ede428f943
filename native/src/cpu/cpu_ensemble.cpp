#include "cpu/cpu_ensemble.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <iterator>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "blocks.h"
#include "thread_pool.h"

namespace rs::cpu {
namespace {

// Fewer models than these train faster alone: where they have the loop for small networks, and where not.
constexpr size_t kFewSmall = 8, kFew = 3;

// Models that a task of the pool takes at once: one step may be shorter than the handing out.
constexpr int64_t kMostModelsATask = 32, kTasksAThread = 4;

// Models left, for each worker, where one of them may take some before it has lanes for them.
constexpr int64_t kPlenty = 4 * kModelLanes;

// What a fit has come to: the average of the parameters where it keeps one.
const float* learned_by(const Trainer& trainer) { return trainer.averaged() > 0 ? trainer.average() : trainer.parameters(); }

}  // namespace

Ensemble::Ensemble(Network network, const Settings& settings, const rs_ensemble_options& options)
    : rs_ensemble(std::move(network), settings, options.models),
      threads_(options.model.threads > 0 ? options.model.threads : processor_count()),
      kind_(static_cast<rs_optimizer_kind>(options.model.optimizer.kind)),
      models_of_(static_cast<size_t>(options.models)),
      scratch_(static_cast<size_t>(threads_)),
      evaluation_memory_(static_cast<size_t>(threads_)),
      lanes_(static_cast<size_t>(threads_)),
      mean_(network_.parameter_count),
      loss_mean_(1) {
  for (int32_t k = 0; k < models_; ++k) {
    Settings own = settings_;
    if (options.dropout_seeds) own.dropout_seed = options.dropout_seeds[k];
    models_of_[static_cast<size_t>(k)].trainer = std::make_unique<Trainer>(network_, own, optimizer_of(options, k), 1);
  }
}

// Calls f(i, worker) for i in [0, count) on the pool, and throws the first thing that is thrown there.
template <typename F>
void Ensemble::share_out(int64_t count, F f) {
  std::exception_ptr thrown;
  std::mutex lock;
  ThreadPool::instance().run(count, threads_, [&](int64_t i, int worker) {
    try {
      f(i, worker);
    } catch (...) {
      std::lock_guard<std::mutex> guard(lock);
      if (!thrown) thrown = std::current_exception();
    }
  });
  if (thrown) std::rethrow_exception(thrown);
}

// Calls f(k, model, worker) for every model whose which[k] is not 0, or for all. Of many models each is far away in memory:
// the next ones are on their way meanwhile.
template <typename F>
void Ensemble::share_models(const int32_t* which, F f) {
  constexpr int64_t kFar = 4, kNear = 2;
  const int64_t share = std::clamp<int64_t>(models_ / (kTasksAThread * threads_), 1, kMostModelsATask);
  share_out((models_ + share - 1) / share, [&](int64_t task, int worker) {
    const int64_t begin = task * share, end = std::min<int64_t>(models_, begin + share);
    const auto is_due = [&](int64_t k) { return k >= begin && k < end && (!which || which[k]); };
    for (int64_t k = begin - kFar; k < end; ++k) {
      if (is_due(k + kFar)) models_of_[static_cast<size_t>(k + kFar)].trainer->prefetch();
      if (is_due(k + kNear)) models_of_[static_cast<size_t>(k + kNear)].trainer->prefetch_parameters();
      if (is_due(k)) f(static_cast<int32_t>(k), models_of_[static_cast<size_t>(k)], worker);
    }
  });
}

// Calls f(k, model) likewise, with scratch memory in its trainer.
template <typename F>
void Ensemble::for_models(const int32_t* which, F f) {
  share_models(which, [&](int32_t k, Model& model, int worker) {
    Scratch& scratch = scratch_[static_cast<size_t>(worker)];
    model.trainer->swap_scratch(scratch);
    try {
      f(k, model);
    } catch (...) {
      model.trainer->swap_scratch(scratch);
      throw;
    }
    model.trainer->swap_scratch(scratch);
  });
}

void Ensemble::initialize(const uint64_t* seeds) {
  for_models([&](int32_t k, Model& model) {
    model.trainer->initialize(seeds[k]);
    model.steps = model.failed = 0;
  });
}

void Ensemble::get_parameters(int32_t model, float* parameters) {
  models_of_[static_cast<size_t>(model)].trainer->get_parameters(parameters);
}

void Ensemble::set_parameters(int32_t k, const float* parameters) {
  Model& model = models_of_[static_cast<size_t>(k)];
  model.trainer->set_parameters(parameters);
  model.steps = model.failed = 0;
}

void Ensemble::set_learning_rates(const double* lr) {
  for (int32_t k = 0; k < models_; ++k) models_of_[static_cast<size_t>(k)].trainer->set_learning_rate(lr[k]);
}

void Ensemble::step(const float* x, const float* y, int64_t rows) {
  for_models([&](int32_t, Model& model) {
    if (model.failed) return;
    if (model.trainer->step(x, y, rows) == RS_NON_FINITE) {
      model.failed = model.steps + 1;
    } else {
      ++model.steps;
    }
  });
}

void Ensemble::losses(double* losses) {
  for (int32_t k = 0; k < models_; ++k) losses[k] = models_of_[static_cast<size_t>(k)].trainer->last_loss();
}

void Ensemble::failures(int64_t* steps) {
  for (int32_t k = 0; k < models_; ++k) steps[k] = models_of_[static_cast<size_t>(k)].failed;
}

bool Ensemble::one_optimizer() const {
  const rs_optimizer& first = models_of_[0].trainer->optimizer().settings();
  return std::all_of(models_of_.begin(), models_of_.end(),
                     [&](const Model& model) { return same(model.trainer->optimizer().settings(), first); });
}

// ---- fit ----

// Looks at no model: of many they are far away in memory.
bool Ensemble::takes_lanes(const Fitting& fitting, int32_t model) const {
  const bool few_rows = std::min(fitting.fits[model].batch, fitting.rows(model)) < kRowPathBatch;
  return few_rows && !settings_.beyond_plain() && !fitting.data.weights.get();
}

// Once for a fit, however many calls it takes.
void Ensemble::order_by_size(const Fitting& fitting) {
  std::vector<int64_t> sizes(models_of_.size());
  for (int32_t k = 0; k < models_; ++k) sizes[static_cast<size_t>(k)] = fitting.rows(k);
  if (sizes == sizes_) return;
  by_size_.resize(models_of_.size());
  sizes_ = std::move(sizes);
  std::iota(by_size_.begin(), by_size_.end(), 0);
  std::stable_sort(by_size_.begin(), by_size_.end(),
                   [&](int32_t a, int32_t b) { return sizes_[static_cast<size_t>(a)] > sizes_[static_cast<size_t>(b)]; });
}

// The models that are due, those with most rows first: side by side are then models that take about as long, and what is
// left to the end is short.
std::vector<int32_t> Ensemble::due_by_size(const Fitting& fitting) {
  order_by_size(fitting);
  std::vector<int32_t> due;
  due.reserve(models_of_.size());
  std::copy_if(by_size_.begin(), by_size_.end(), std::back_inserter(due),
               [&](int32_t k) { return is_due(models_of_[static_cast<size_t>(k)], fitting.fits[k]); });
  return due;
}

// Trains every model to its step_limit or its end; false where the time was up before.
bool Ensemble::train(const Fitting& fitting) {
  std::vector<int32_t> side_by_side, alone;
  for (int32_t k : due_by_size(fitting)) (takes_lanes(fitting, k) ? side_by_side : alone).push_back(k);
  const auto loops = [&](int32_t k) {
    return fitting.fits[k].batch == 1 && models_of_[static_cast<size_t>(k)].trainer->takes_small_steps(1);
  };
  const bool few = side_by_side.size() < kFew;
  if (few || (side_by_side.size() < kFewSmall && std::all_of(side_by_side.begin(), side_by_side.end(), loops))) {
    alone.insert(alone.end(), side_by_side.begin(), side_by_side.end());
    side_by_side.clear();
  }
  if (!side_by_side.empty()) train_in_lanes(fitting, side_by_side);
  share_out(static_cast<int64_t>(alone.size()), [&](int64_t i, int worker) {
    // Whatever the time, a call gets on.
    if (fitting.deadline.is_past() && (i > 0 || !side_by_side.empty())) return;
    Model& model = models_of_[static_cast<size_t>(alone[static_cast<size_t>(i)])];
    Scratch& scratch = scratch_[static_cast<size_t>(worker)];
    model.trainer->swap_scratch(scratch);
    try {
      train_alone(fitting, alone[static_cast<size_t>(i)]);
    } catch (...) {
      model.trainer->swap_scratch(scratch);
      throw;
    }
    model.trainer->swap_scratch(scratch);
  });
  return !any_due(models_of_, fitting.fits);
}

void Ensemble::train_in_lanes(const Fitting& fitting, const std::vector<int32_t>& models) {
  const int64_t count = static_cast<int64_t>(models.size());
  const int64_t workers = std::min<int64_t>(threads_, (count + kModelLanes - 1) / kModelLanes);
  for (int64_t worker = 0; worker < workers; ++worker) {
    std::unique_ptr<LaneGroup>& lanes = lanes_[static_cast<size_t>(worker)];
    if (!lanes) lanes = std::make_unique<LaneGroup>(network_, kind_);
  }
  std::atomic<int64_t> taken{0};
  share_out(workers, [&](int64_t worker, int) {
    const auto next = [&](LaneWork* work, int most, bool ahead) {
      if (ahead && count - taken.load(std::memory_order_relaxed) < kPlenty * workers) return 0;
      const int64_t begin = taken.fetch_add(most, std::memory_order_relaxed), end = std::min(count, begin + most);
      for (int64_t i = begin; i < end; ++i) {
        const int32_t k = models[static_cast<size_t>(i)];
        *work++ = {k, models_of_[static_cast<size_t>(k)].trainer.get(), &fitting.fits[k], fitting.first_row(k), fitting.rows(k)};
      }
      return static_cast<int>(std::max<int64_t>(0, end - begin));
    };
    const auto failed = [&](const LaneWork& work) { models_of_[static_cast<size_t>(work.model)].failed = -1; };
    lanes_[static_cast<size_t>(worker)]->run(fitting.data, next, failed, fitting.deadline);
  });
}

void Ensemble::train_alone(const Fitting& fitting, int32_t k) {
  Model& model = models_of_[static_cast<size_t>(k)];
  rs_fit& fit = fitting.fits[k];
  double* const losses = fit.losses;
  const int64_t before = fit.losses_count, capacity = fit.losses_capacity;
  if (losses) fit.losses = losses + fit.epoch;
  fit.losses_capacity = capacity > 0 ? capacity - before : losses ? fit.epochs - fit.epoch : 0;
  fit.seconds = fitting.deadline.seconds_left();
  rs_status status;
  if (fitting.run.first_rows) {
    const rs_dataset own(fitting.data, fitting.first_row(k), fitting.rows(k));
    status = model.trainer->fit(own, fit);
  } else {
    status = model.trainer->fit(fitting.data, fit);
  }
  fit.losses_count += before;
  fit.losses = losses;
  fit.losses_capacity = capacity;
  fit.seconds = 0;
  if (status == RS_NON_FINITE) model.failed = -1;
}

void Ensemble::fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) {
  const Deadline deadline(run.seconds);
  const Fitting fitting = {data, fits, run, deadline};
  for (int32_t k = 0; k < models_; ++k) {
    if (fits[k].steps == 0) models_of_[static_cast<size_t>(k)].kept.clear();
  }
  if (run.epochs == 0) kept_.clear();
  weights_.clear();
  if (run.exchange_weights) weights_.assign(run.exchange_weights, run.exchange_weights + models_);
  run.stopped = 0;
  bool done_everywhere = false;
  keep_books(models_of_, fitting, [&] {
    if (run.exchange == RS_EXCHANGE_GRADIENT) {
      done_everywhere = fit_as_one(fitting);
    } else if (run.exchange == RS_EXCHANGE_AVERAGE) {
      done_everywhere = train_averaged(fitting);
    } else {
      limit_steps(fitting, models_of_.size(), 0);
      train(fitting);
    }
  });
  if (run.exchange != RS_EXCHANGE_NEVER) run.done = done_everywhere;
}

// ---- exchanges ----

void Ensemble::set_communicator(collective::Communicator* communicator) {
  ranks_.reset();
  loss_ranks_.reset();
  communicator_ = communicator && communicator->size() > 1 ? communicator : nullptr;
  if (communicator_) {
    ranks_ = std::make_unique<collective::GradientSum>(*communicator_, collective::GradientSum::kExact, mean_.length());
    loss_ranks_ = std::make_unique<collective::GradientSum>(*communicator_, collective::GradientSum::kExact, loss_mean_.length());
  }
}

// Of the models of all ranks that have not stopped; false where there are none. parameters_of(trainer) is what each has.
template <typename F>
bool Ensemble::mean(F parameters_of, float* mean) {
  std::vector<int32_t> sound;
  for (int32_t k = 0; k < models_; ++k) {
    if (!models_of_[static_cast<size_t>(k)].failed) sound.push_back(k);
  }
  const bool weighted = !weights_.empty();
  mean_.begin(static_cast<int64_t>(sound.size()), weighted ? 2 : 1);
  share_out(static_cast<int64_t>(sound.size()), [&](int64_t i, int) {
    const size_t k = static_cast<size_t>(sound[static_cast<size_t>(i)]);
    mean_.put(i, parameters_of(*models_of_[k].trainer), weighted ? weights_[k] : 1);
  });
  return mean_.run(ranks_.get(), threads_, mean);
}

void Ensemble::average() {
  const size_t count = static_cast<size_t>(network_.parameter_count);
  std::vector<float> all(count);
  if (!mean([](Trainer& trainer) { return trainer.parameters(); }, all.data())) return;
  for_models([&](int32_t, Model& model) {
    if (!model.failed) std::memcpy(model.trainer->change_parameters(), all.data(), count * sizeof(float));
  });
}

Ensemble::Meeting Ensemble::meet(const Fitting& fitting, bool arrived) {
  int64_t undone = 0;
  for (const Model& model : models_of_) undone += !is_done(model, fitting.fits[&model - &models_of_[0]]);
  int64_t sums[] = {!arrived, communicator_ && wants_stop(), undone};
  if (communicator_) communicator_->all_reduce(sums, 3, collective::Element::kInt64);
  return {sums[0], sums[1], sums[2]};
}

// Rounds that all ranks take together, to the end of an epoch where models pause there. Each trains for a slice of time at
// most; then all meet. So none waits longer for another than it takes to train a slice. Whether all ranks' models are done.
bool Ensemble::train_averaged(const Fitting& fitting) {
  rs_ensemble_run& run = fitting.run;
  do {
    const Round round = next_round(fitting);
    limit_steps(fitting, models_of_.size(), round.step_limit);
    const Meeting all = meet(fitting, train(fitting));
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

// Data-parallel training: the rows of a step belong to no model, its blocks are shared out among the ranks and threads,
// and their exact sum moves all models alike. So one of them is enough to work with. Whether it is done.
bool Ensemble::fit_as_one(const Fitting& fitting) {
  Model& first = models_of_[0];
  if (ranks_ && fitting.fits[0].steps == 0) {
    begin_as_rank_zero();
    first.trainer->set_communicator(communicator_, collective::GradientSum::kExact);
  }
  if (!first.failed) {
    first.trainer->set_threads(threads_);
    first.trainer->set_stop(wants_stop());
    train_alone(fitting, 0);
    first.trainer->set_threads(1);
    copy_first(fitting);
  }
  const rs_fit& leader = fitting.fits[0];
  fitting.run.epochs = leader.epoch;
  fitting.run.stopped = leader.stopped;
  const bool done = is_done(first, leader);
  if (ranks_ && (done || leader.stopped)) first.trainer->set_communicator(nullptr, collective::GradientSum::kExact);
  return done;
}

// Model 0 begins as that of rank 0.
void Ensemble::begin_as_rank_zero() {
  Model& first = models_of_[0];
  Trainer& trainer = *first.trainer;
  struct {
    rs_optimizer_state optimizer;
    int64_t steps, failed;
  } state = {{}, first.steps, first.failed};
  std::vector<float> parameters(static_cast<size_t>(network_.parameter_count)), moments(static_cast<size_t>(trainer.state_count()));
  trainer.get_parameters(parameters.data());
  trainer.get_state(moments.data(), state.optimizer);
  const auto send = [&](void* bytes, size_t count) { communicator_->broadcast(bytes, static_cast<int64_t>(count), 0); };
  send(&state, sizeof state);
  send(parameters.data(), parameters.size() * sizeof(float));
  if (!moments.empty()) send(moments.data(), moments.size() * sizeof(float));
  trainer.set_parameters(parameters.data());
  trainer.set_state(moments.data(), state.optimizer);
  first.steps = state.steps;
  first.failed = state.failed;
}

// All models become what the first one is.
void Ensemble::copy_first(const Fitting& fitting) {
  const Model& first = models_of_[0];
  const rs_fit& leader = fitting.fits[0];
  for (int32_t k = 1; k < models_; ++k) {
    Model& model = models_of_[static_cast<size_t>(k)];
    rs_fit& fit = fitting.fits[k];
    model.trainer->copy_state(*first.trainer);
    model.failed = first.failed;
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

// ---- forward only ----

void Ensemble::evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, double* losses) {
  const auto parameters_of = [](const Trainer& trainer) { return trainer.parameters(); };
  evaluate(data, first_rows, row_counts, target_scales, nullptr, parameters_of, losses);
}

// With the parameters that parameters_of(trainer) points to.
template <typename ParametersOf>
void Ensemble::evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                        const int32_t* which, ParametersOf parameters_of, double* losses) {
  const Trainer& any = *models_of_[0].trainer;
  const Evaluation evaluation(any.view(), any.batch_view(), settings_);
  share_models(which, [&](int32_t k, Model& model, int worker) {
    const float* scale = target_scales ? target_scales + int64_t{k} * network_.outputs() : nullptr;
    const int64_t first = first_rows ? first_rows[k] : 0, rows = first_rows ? row_counts[k] : data.rows;
    if (rows == 0) {
      losses[k] = std::numeric_limits<double>::quiet_NaN();
      return;
    }
    const float* parameters = parameters_of(*model.trainer);
    if (settings_.collapse && Evaluation::is_batch(rows)) parameters = model.trainer->batch_parameters(parameters);
    losses[k] = evaluation.run(parameters, data, first, rows, scale, evaluation_memory_[static_cast<size_t>(worker)]);
  });
}

void Ensemble::predict(const float* x, int64_t rows, float* y) {
  for_models([&](int32_t k, Model& model) { model.trainer->predict(x, rows, y + k * rows * network_.outputs()); });
}

// ---- between two epochs ----

// What models that exchange have in common: what the first is, or the mean of all; of their averages where they keep some.
// Empty where there is no mean.
std::vector<float> Ensemble::learned() {
  std::vector<float> learned(static_cast<size_t>(network_.parameter_count));
  if (exchange() == RS_EXCHANGE_GRADIENT) {
    std::copy_n(learned_by(*models_of_[0].trainer), learned.size(), learned.data());
  } else if (!mean(learned_by, learned.data())) {
    learned.clear();
  }
  return learned;
}

double Ensemble::evaluate_learned(const rs_dataset& data, const float* target_scale) {
  if (learned_.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (!validator_) validator_ = std::make_unique<Trainer>(network_, settings_, rs_optimizer{}, threads_);
  validator_->set_parameters(learned_.data());
  return validator_->evaluate(data, target_scale);
}

void Ensemble::validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, const int32_t* which, double* losses) {
  if (exchange() == RS_EXCHANGE_NEVER) {
    evaluate(data, first_rows, row_counts, target_scales, which, learned_by, losses);
    return;
  }
  learned_ = learned();
  const double loss = evaluate_learned(data, target_scales);
  for (int32_t k = 0; k < models_; ++k) {
    if (which[k]) losses[k] = loss;
  }
}

void Ensemble::keep(const int32_t* which) {
  if (exchange() != RS_EXCHANGE_NEVER) {
    if (std::any_of(which, which + models_, [](int32_t own) { return own != 0; })) kept_ = learned_;
    return;
  }
  share_models(which, [&](int32_t, Model& model, int) {
    const float* parameters = learned_by(*model.trainer);
    model.kept.assign(parameters, parameters + network_.parameter_count);
  });
}

void Ensemble::take(const int32_t* which) {
  const bool exchanged = exchange() != RS_EXCHANGE_NEVER;
  const std::vector<float> latest = exchanged && kept_.empty() ? learned() : std::vector<float>();
  for_models(which, [&](int32_t, Model& model) {
    const std::vector<float>& kept = exchanged ? kept_ : model.kept;
    if (!kept.empty()) {
      model.trainer->set_parameters(kept.data());
      model.kept = {};
    } else if (exchanged) {
      std::copy(latest.begin(), latest.end(), model.trainer->change_parameters());
    } else if (model.trainer->averaged() > 0) {
      model.trainer->swap_average();
    }
  });
}

double Ensemble::mean_loss(const double* losses) {
  std::vector<double> sound;
  for (int32_t k = 0; k < models_; ++k) {
    if (!models_of_[static_cast<size_t>(k)].failed) sound.push_back(losses[k]);
  }
  loss_mean_.begin(static_cast<int64_t>(sound.size()), 2);
  for (size_t i = 0; i < sound.size(); ++i) loss_mean_.put(static_cast<int64_t>(i), &sound[i]);
  double mean = std::numeric_limits<double>::quiet_NaN();
  loss_mean_.run(exchange() == RS_EXCHANGE_AVERAGE ? loss_ranks_.get() : nullptr, threads_, &mean);
  return mean;
}

}  // namespace rs::cpu
