#include "cpu/cpu_ensemble.h"

#include <algorithm>
#include <atomic>
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
    : ExchangingEnsemble(std::move(network), settings, options.models),
      threads_(options.model.threads > 0 ? options.model.threads : processor_count()),
      kind_(static_cast<rs_optimizer_kind>(options.model.optimizer.kind)),
      models_of_(static_cast<size_t>(options.models)),
      scratch_(static_cast<size_t>(threads_)),
      evaluation_memory_(static_cast<size_t>(threads_)),
      lanes_(static_cast<size_t>(threads_)),
      exchanges_(*this, threads_) {
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

// Calls f() with the worker's scratch memory in the model's trainer.
template <typename F>
void Ensemble::with_scratch(Model& model, int worker, F f) {
  Scratch& scratch = scratch_[static_cast<size_t>(worker)];
  model.trainer->swap_scratch(scratch);
  try {
    f();
  } catch (...) {
    model.trainer->swap_scratch(scratch);
    throw;
  }
  model.trainer->swap_scratch(scratch);
}

// Calls f(k, model) likewise, with scratch memory in its trainer.
template <typename F>
void Ensemble::for_models(const int32_t* which, F f) {
  share_models(which, [&](int32_t k, Model& model, int worker) { with_scratch(model, worker, [&] { f(k, model); }); });
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
  const bool few_rows = fitting.batch(model) < kRowPathBatch;
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
    const int32_t k = alone[static_cast<size_t>(i)];
    with_scratch(models_of_[static_cast<size_t>(k)], worker, [&] { train_alone(fitting, k); });
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
  rs_status status;
  if (fitting.run.first_rows) {
    const rs_dataset own(fitting.data, fitting.first_row(k), fitting.rows(k));
    status = fit_alone(*model.trainer, own, fit, fitting.deadline);
  } else {
    status = fit_alone(*model.trainer, fitting.data, fit, fitting.deadline);
  }
  if (status == RS_NON_FINITE) model.failed = -1;
}

void Ensemble::fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) {
  const Deadline deadline(run.seconds);
  const Fitting fitting = {data, fits, run, deadline};
  for (int32_t k = 0; k < models_; ++k) {
    if (fits[k].steps == 0) models_of_[static_cast<size_t>(k)].kept.clear();
  }
  exchanges_.fit(fitting);
}

// ---- exchanges ----

void Ensemble::read_models(const std::vector<int32_t>& models, Weights weights, const Reader& read) {
  share_out(static_cast<int64_t>(models.size()), [&](int64_t i, int) {
    Trainer& trainer = *models_of_[static_cast<size_t>(models[static_cast<size_t>(i)])].trainer;
    read(i, weights == Weights::kAverage ? learned_by(trainer) : trainer.parameters());
  });
}

void Ensemble::change_models(const int32_t* which, const float* parameters, OptimizerState state) {
  for_models(which, [&](int32_t, Model& model) {
    if (state == OptimizerState::kBeginsAnew) {
      model.trainer->set_parameters(parameters);
    } else {
      std::copy_n(parameters, network_.parameter_count, model.trainer->change_parameters());
    }
  });
}

double Ensemble::loss_of(const float* parameters, const rs_dataset& data, const float* target_scale) {
  if (!validator_) validator_ = std::make_unique<Trainer>(network_, settings_, rs_optimizer{}, threads_);
  validator_->set_parameters(parameters);
  return validator_->evaluate(data, target_scale);
}

// The trainer of model 0, with all threads.
void Ensemble::as_one(const std::function<void(rs_trainer&)>& use) {
  Trainer& first = *models_of_[0].trainer;
  first.set_threads(threads_);
  try {
    use(first);
  } catch (...) {
    first.set_threads(1);
    throw;
  }
  first.set_threads(1);
  for (int32_t k = 1; k < models_; ++k) models_of_[static_cast<size_t>(k)].trainer->copy_state(first);
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

void Ensemble::validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, const int32_t* which, double* losses) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.validate(data, target_scales, which, losses);
  evaluate(data, first_rows, row_counts, target_scales, which, learned_by, losses);
}

void Ensemble::keep(const int32_t* which) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.keep(which);
  share_models(which, [&](int32_t, Model& model, int) {
    const float* parameters = learned_by(*model.trainer);
    model.kept.assign(parameters, parameters + network_.parameter_count);
  });
}

void Ensemble::take(const int32_t* which) {
  if (exchange() != RS_EXCHANGE_NEVER) return exchanges_.take(which);
  for_models(which, [&](int32_t, Model& model) {
    if (!model.kept.empty()) {
      model.trainer->set_parameters(model.kept.data());
      model.kept = {};
    } else if (model.trainer->averaged() > 0) {
      model.trainer->swap_average();
    }
  });
}

}  // namespace rs::cpu
