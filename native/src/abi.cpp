// The C ABI: checks arguments, and turns C++ exceptions into status codes.
#include "ringstep.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <new>
#include <sstream>

#include "backend.h"
#include "collective/local.h"
#include "collective/mpi.h"
#include "collective/nccl_library.h"
#include "collective/tcp.h"
#include "cpu/cpu_ensemble.h"
#include "cpu/cpu_trainer.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "device_error.h"
#include "ensemble.h"
#include "probabilities.h"
#include "shuffle.h"
#include "thread_pool.h"

namespace {

thread_local char last_error[512] = "";

__attribute__((format(printf, 2, 3))) rs_status fail(rs_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  return status;
}

thread_local int32_t last_error_rank = rs::collective::Failure::kNoRank;

rs_status status_of(const rs::collective::Failure& failure) {
  switch (failure.kind) {
    case rs::collective::Failure::kTimeout: return RS_COLLECTIVE_TIMEOUT;
    case rs::collective::Failure::kRankLost: return RS_COLLECTIVE_RANK_LOST;
    case rs::collective::Failure::kMismatch: return RS_COLLECTIVE_MISMATCH;
    case rs::collective::Failure::kAborted: return RS_COLLECTIVE_ABORTED;
    default: return RS_COLLECTIVE_FAILED;
  }
}

// Runs f, which returns a status.
template <typename F>
rs_status guarded(const char* operation, F f) {
  try {
    const rs_status status = f();
    if (status == RS_NON_FINITE) {
      return fail(status, "%s: the loss is NaN or infinite; the step was not applied", operation);
    }
    return status;
  } catch (const rs::collective::Failure& e) {
    last_error_rank = e.rank;
    return fail(status_of(e), "%s: %s", operation, e.what());
  } catch (const rs::DeviceError& e) {
    return fail(e.status, "%s: %s", operation, e.what());
  } catch (const std::bad_alloc&) {
    return fail(RS_OUT_OF_MEMORY, "%s: out of memory", operation);
  } catch (const std::exception& e) {
    return fail(RS_INTERNAL, "%s: %s", operation, e.what());
  }
}

bool is_fraction(double x) { return x >= 0 && x < 1; }
bool is_non_negative(double x) { return x >= 0 && std::isfinite(static_cast<float>(x)); }

rs_status check_optimizer(const rs_optimizer& o) {
  if (o.kind != RS_SGD && o.kind != RS_ADAM && o.kind != RS_ADAMW) {
    return fail(RS_INVALID_ARGUMENT, "optimizer kind %d is unknown", o.kind);
  }
  if (!is_non_negative(o.lr)) return fail(RS_INVALID_ARGUMENT, "lr %g must be finite and at least 0", o.lr);
  if (!is_non_negative(o.weight_decay)) {
    return fail(RS_INVALID_ARGUMENT, "weight_decay %g must be finite and at least 0", o.weight_decay);
  }
  if (o.kind == RS_SGD) {
    if (!is_non_negative(o.momentum)) {
      return fail(RS_INVALID_ARGUMENT, "momentum %g must be finite and at least 0", o.momentum);
    }
    if (o.nesterov && o.momentum == 0) return fail(RS_INVALID_ARGUMENT, "nesterov needs a momentum above 0");
  } else if (!is_fraction(o.beta1) || !is_fraction(o.beta2) || !is_non_negative(o.eps)) {
    return fail(RS_INVALID_ARGUMENT, "beta1 %g and beta2 %g must be in [0, 1), eps %g at least 0", o.beta1, o.beta2, o.eps);
  }
  return RS_OK;
}

// The kernels count the floats of a tile's columns in 32 bits.
constexpr int32_t kMostUnits = 1 << 22;

rs_status check_sizes(const int32_t* sizes, int32_t size_count) {
  if (!sizes || size_count < 2) return fail(RS_INVALID_ARGUMENT, "a network needs at least two sizes");
  int64_t parameters = 0;
  for (int32_t i = 0; i < size_count; ++i) {
    if (sizes[i] < 1) return fail(RS_INVALID_ARGUMENT, "size %d of the network is %d; it must be at least 1", i, sizes[i]);
    if (sizes[i] > kMostUnits) {
      return fail(RS_INVALID_ARGUMENT, "size %d of the network is %d; it must be at most %d", i, sizes[i], kMostUnits);
    }
    if (i > 0) parameters += (static_cast<int64_t>(sizes[i - 1]) + 1) * sizes[i];
    if (parameters > INT32_MAX) return fail(RS_INVALID_ARGUMENT, "the network has more than 2147483647 parameters");
  }
  return RS_OK;
}

// Registered once and never taken away.
std::atomic<const rs::Backend*> cuda_backend{nullptr};

rs::Settings settings_of(const rs_trainer_options& o);

rs_status check_engine(const rs_trainer_options& options) {
  if (options.precision != RS_FLOAT32 && options.precision != RS_TF32) {
    return fail(RS_INVALID_ARGUMENT, "precision %d is unknown", options.precision);
  }
  if (options.engine == RS_ENGINE_CPU) {
    if (options.precision == RS_FLOAT32) return RS_OK;
    return fail(RS_INVALID_ARGUMENT, "TF32 is for tensor cores: it needs the CUDA engine");
  }
  if (options.engine != RS_ENGINE_CUDA) return fail(RS_INVALID_ARGUMENT, "engine %d is unknown", options.engine);
  if (options.device < 0) return fail(RS_INVALID_ARGUMENT, "device is %d; it must be at least 0", options.device);
  if (const char* what = settings_of(options).beyond_plain()) {
    return fail(RS_INVALID_ARGUMENT, "the CUDA engine does not have %s; use device cpu", what);
  }
  if (options.collapse) return fail(RS_INVALID_ARGUMENT, "the CUDA engine collapses no networks; use device cpu");
  if (!cuda_backend) return fail(RS_CUDA, "trainer: the CUDA engine is not loaded");
  return RS_OK;
}

rs_status check_options(const rs_trainer_options* options) {
  if (!options) return fail(RS_INVALID_ARGUMENT, "options must not be null");
  if (rs_status status = check_sizes(options->sizes, options->size_count)) return status;
  if (rs_status status = check_optimizer(options->optimizer)) return status;
  if (options->activation < RS_IDENTITY || options->activation > RS_SIGMOID) {
    return fail(RS_INVALID_ARGUMENT, "activation %d is unknown", options->activation);
  }
  if (options->threads < 0) {
    return fail(RS_INVALID_ARGUMENT, "threads is %d; it must be at least 0", options->threads);
  }
  return check_engine(*options);
}

// ---- losses, penalties, schedules, averages ----

bool is_positive(double x) { return is_non_negative(x) && static_cast<float>(x) > 0; }

rs_status check_settings(const rs_trainer_options& o) {
  if (o.loss.kind < RS_MSE || o.loss.kind > RS_CROSS_ENTROPY) {
    return fail(RS_INVALID_ARGUMENT, "loss kind %d is unknown", o.loss.kind);
  }
  if (o.loss.kind == RS_HUBER && !is_positive(o.loss.huber_delta)) {
    return fail(RS_INVALID_ARGUMENT, "huber_delta %g must be finite and above 0", o.loss.huber_delta);
  }
  if (o.loss.kind == RS_CROSS_ENTROPY && o.sizes[o.size_count - 1] < 2) {
    return fail(RS_INVALID_ARGUMENT, "cross-entropy needs an output for each class, at least two");
  }
  if (!is_non_negative(o.shaping.l1)) return fail(RS_INVALID_ARGUMENT, "l1 %g must be finite and at least 0", o.shaping.l1);
  if (!is_non_negative(o.shaping.clip_norm) || !is_non_negative(o.shaping.clip_value)) {
    return fail(RS_INVALID_ARGUMENT, "clip_norm %g and clip_value %g must be finite and at least 0", o.shaping.clip_norm,
                o.shaping.clip_value);
  }
  if (o.shaping.clip_norm > 0 && o.shaping.clip_value > 0) {
    return fail(RS_INVALID_ARGUMENT, "clip_norm and clip_value exclude each other");
  }
  if (!is_fraction(o.dropout) || !std::isfinite(static_cast<float>(1 / (1 - o.dropout)))) {
    return fail(RS_INVALID_ARGUMENT, "dropout %g must be in [0, 1)", o.dropout);
  }
  if (o.collapse && (o.activation != RS_IDENTITY || o.dropout > 0)) {
    return fail(RS_INVALID_ARGUMENT, "a network with an activation or dropout does not collapse to a linear map");
  }
  return RS_OK;
}

rs::Settings settings_of(const rs_trainer_options& o) {
  rs::Settings s;
  s.loss = {static_cast<rs_loss_kind>(o.loss.kind), static_cast<float>(o.loss.huber_delta)};
  s.l1 = o.shaping.l1;
  s.clip_norm = o.shaping.clip_norm;
  s.clip_value = o.shaping.clip_value;
  s.dropout = o.dropout;
  s.dropout_seed = o.dropout_seed;
  s.collapse = o.collapse != 0;
  return s;
}

rs_status check_schedule(const rs_fit& fit) {
  const rs_schedule& s = fit.schedule;
  if (s.kind < RS_CONSTANT || s.kind > RS_COSINE) return fail(RS_INVALID_ARGUMENT, "schedule kind %d is unknown", s.kind);
  if (s.kind == RS_STEP_DECAY && (s.step_epochs < 1 || !is_non_negative(s.gamma))) {
    return fail(RS_INVALID_ARGUMENT, "step_epochs must be at least 1, gamma %g finite and at least 0", s.gamma);
  }
  if (s.kind == RS_COSINE && !is_non_negative(s.min_lr)) {
    return fail(RS_INVALID_ARGUMENT, "min_lr %g must be finite and at least 0", s.min_lr);
  }
  if (s.warmup_steps < 0 || !(s.warmup_start >= 0 && s.warmup_start <= 1)) {
    return fail(RS_INVALID_ARGUMENT, "warmup_steps must be at least 0, warmup_start %g from 0 to 1", s.warmup_start);
  }
  if (!is_non_negative(fit.lr_scale)) {
    return fail(RS_INVALID_ARGUMENT, "lr_scale %g must be finite and at least 0", fit.lr_scale);
  }
  return RS_OK;
}

rs_status check_average(const rs_average& a) {
  if (a.kind < RS_NO_AVERAGE || a.kind > RS_SWA) return fail(RS_INVALID_ARGUMENT, "average kind %d is unknown", a.kind);
  if (a.kind == RS_EMA && !is_fraction(a.ema_decay)) {
    return fail(RS_INVALID_ARGUMENT, "ema_decay %g must be in [0, 1)", a.ema_decay);
  }
  if (a.kind == RS_SWA && a.swa_start < 0) return fail(RS_INVALID_ARGUMENT, "swa_start must be at least 0");
  return RS_OK;
}

// T is a trainer or an ensemble here and below.

// Classifiers have targets of a certain kind.
template <typename T>
rs_status check_targets(const T& trainer, const float* y, int64_t rows) {
  const rs_loss_kind kind = trainer.settings().loss.kind;
  const int32_t classes = trainer.network().outputs();
  if (kind == RS_CROSS_ENTROPY) {
    for (int64_t i = 0; i < rows; ++i) {
      if (y[i] >= 0 && y[i] < static_cast<float>(classes) && y[i] == std::floor(y[i])) continue;
      return fail(RS_INVALID_ARGUMENT, "the target of row %lld is %g; with %d outputs a class is a whole number from 0 to %d",
                  static_cast<long long>(i), static_cast<double>(y[i]), classes, classes - 1);
    }
  } else if (kind == RS_BCE) {
    for (int64_t i = 0; i < rows * classes; ++i) {
      if (y[i] >= 0 && y[i] <= 1) continue;
      return fail(RS_INVALID_ARGUMENT, "a target of row %lld is %g; with binary cross-entropy it is a probability, from 0 to 1",
                  static_cast<long long>(i / classes), static_cast<double>(y[i]));
    }
  }
  return RS_OK;
}

rs_status check_weights(const rs_dataset& data) {
  const float* weights = data.weights.get();
  for (int64_t i = 0; weights && i < data.rows; ++i) {
    if (weights[i] >= 0 && std::isfinite(weights[i])) continue;
    return fail(RS_INVALID_ARGUMENT, "the weight of row %lld is %g; it must be finite and at least 0",
                static_cast<long long>(i), static_cast<double>(weights[i]));
  }
  return RS_OK;
}

// ---- batches and datasets ----

template <typename T>
rs_status check_batch(const T& trainer, const float* x, const float* y, int64_t rows) {
  if (!x || !y) return fail(RS_INVALID_ARGUMENT, "x and y must not be null");
  if (rows < 1) return fail(RS_INVALID_ARGUMENT, "rows is %lld; it must be at least 1", static_cast<long long>(rows));
  return check_targets(trainer, y, rows);
}

template <typename T>
rs_status check_count(const T& trainer, const float* values, int64_t count) {
  const int64_t needed = trainer.network().parameter_count;
  if (values && count == needed) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "%lld values where the network has %lld parameters",
              static_cast<long long>(values ? count : 0), static_cast<long long>(needed));
}

rs_status check_state(const rs_trainer& trainer, const float* moments, int64_t count, const rs_optimizer_state* state) {
  if (!state) return fail(RS_INVALID_ARGUMENT, "state must not be null");
  const int64_t needed = trainer.state_count();
  if (count == needed && (moments || needed == 0)) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "%lld moments where the optimizer has %lld",
              static_cast<long long>(moments ? count : 0), static_cast<long long>(needed));
}

bool is_power(double x) { return x >= 0 && x <= 1; }

template <typename T>
rs_status check_shape(const T& trainer, const rs_dataset* data) {
  if (!data) return fail(RS_INVALID_ARGUMENT, "the dataset must not be null");
  const int32_t inputs = trainer.network().inputs(), outputs = trainer.target_width();
  if (data->inputs == inputs && data->outputs == outputs) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "the dataset has %d inputs and %d outputs, the network and its loss %d and %d", data->inputs,
              data->outputs, inputs, outputs);
}

// Squares of the scales weigh the loss, in float32.
template <typename T>
rs_status check_scale(const T& trainer, const float* target_scale) {
  for (int32_t o = 0; target_scale && o < trainer.target_width(); ++o) {
    if (!std::isnormal(target_scale[o] * target_scale[o])) {
      return fail(RS_INVALID_ARGUMENT, "target_scale %g must lie between 1e-18 and 1e18; use other units",
                  static_cast<double>(target_scale[o]));
    }
  }
  return RS_OK;
}

rs_status check_fit(const rs_fit* fit, const rs_dataset& data) {
  if (!fit) return fail(RS_INVALID_ARGUMENT, "fit must not be null");
  if (fit->batch < 1 || fit->epochs < 1) return fail(RS_INVALID_ARGUMENT, "batch and epochs must be at least 1");
  if (fit->epoch < 0 || fit->epoch > fit->epochs || fit->row < 0 || fit->row >= data.rows) {
    return fail(RS_INVALID_ARGUMENT, "the position is outside the epochs or the rows");
  }
  if (fit->losses && fit->losses_capacity < 1) return fail(RS_INVALID_ARGUMENT, "losses needs a capacity of at least 1");
  if (rs_status status = check_schedule(*fit)) return status;
  return check_average(fit->average);
}

}  // namespace

// ---- the library ----

int32_t rs_abi_version(void) { return RS_ABI_VERSION; }
const char* rs_version(void) { return RINGSTEP_VERSION; }
const char* rs_last_error(void) { return last_error; }
const char* rs_cpu_simd(void) { return rs::cpu::kernels().name; }
int32_t rs_cpu_count(void) { return rs::processor_count(); }

// ---- engines in libraries of their own ----

int32_t rs_cuda_driver_present(void) {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  // Left open: the engine will need it, and the driver is not made to be unloaded.
  return driver != nullptr;
}

rs_status rs_register_backend(const void* backend) {
  if (!backend) return fail(RS_INVALID_ARGUMENT, "backend must not be null");
  const rs::Backend& b = *static_cast<const rs::Backend*>(backend);
  if (b.abi_version != RS_ABI_VERSION || std::strcmp(b.version, RINGSTEP_VERSION) != 0) {
    return fail(RS_INVALID_ARGUMENT, "the CUDA engine is of another version; use libraries of version %s alone",
                RINGSTEP_VERSION);
  }
  if (b.engine != RS_ENGINE_CUDA) return fail(RS_INVALID_ARGUMENT, "engine %d is unknown", b.engine);
  cuda_backend = &b;
  return RS_OK;
}

// ---- datasets ----

rs_status rs_dataset_create(int64_t rows, int32_t inputs, int32_t outputs, rs_dataset** dataset) {
  if (!dataset) return fail(RS_INVALID_ARGUMENT, "dataset must not be null");
  *dataset = nullptr;
  if (rows < 1 || inputs < 1 || outputs < 1) {
    return fail(RS_INVALID_ARGUMENT, "rows, inputs and outputs must be at least 1");
  }
  return guarded("dataset", [&] {
    int64_t x, y;
    if (__builtin_mul_overflow(rows, inputs, &x) || __builtin_mul_overflow(rows, outputs, &y)) throw std::bad_alloc();
    *dataset = new rs_dataset(rows, inputs, outputs);
    return RS_OK;
  });
}

float* rs_dataset_x(rs_dataset* dataset) { return dataset->x.get(); }
float* rs_dataset_y(rs_dataset* dataset) { return dataset->y.get(); }

rs_status rs_dataset_weights(rs_dataset* dataset, float** weights) {
  if (!dataset || !weights) return fail(RS_INVALID_ARGUMENT, "dataset and weights must not be null");
  return guarded("dataset", [&] {
    if (!dataset->weights.get()) {
      rs::AlignedBuffer ones(dataset->rows);
      std::fill_n(ones.get(), dataset->rows, 1.0f);
      dataset->weights = std::move(ones);
    }
    *weights = dataset->weights.get();
    return RS_OK;
  });
}

void rs_dataset_destroy(rs_dataset* dataset) { delete dataset; }

// ---- trainers ----

rs_status rs_trainer_create(const rs_trainer_options* options, rs_trainer** trainer) {
  if (!trainer) return fail(RS_INVALID_ARGUMENT, "trainer must not be null");
  *trainer = nullptr;
  if (rs_status status = check_options(options)) return status;
  if (rs_status status = check_settings(*options)) return status;
  return guarded("trainer", [&] {
    rs::Network network(options->sizes, options->size_count, static_cast<rs_activation>(options->activation));
    *trainer = options->engine == RS_ENGINE_CUDA
                   ? cuda_backend.load()->create(std::move(network), *options)
                   : new rs::cpu::Trainer(std::move(network), settings_of(*options), options->optimizer, options->threads);
    return RS_OK;
  });
}

void rs_trainer_destroy(rs_trainer* trainer) { delete trainer; }

int64_t rs_trainer_parameter_count(const rs_trainer* trainer) { return trainer->network().parameter_count; }

const char* rs_trainer_path(const rs_trainer* trainer, int64_t batch) { return trainer->path(batch); }

rs_status rs_trainer_init(rs_trainer* trainer, uint64_t seed) {
  return guarded("init", [&] {
    trainer->initialize(seed);
    return RS_OK;
  });
}

rs_status rs_trainer_get_parameters(const rs_trainer* trainer, float* parameters, int64_t count) {
  if (rs_status status = check_count(*trainer, parameters, count)) return status;
  return guarded("get_parameters", [&] {
    trainer->get_parameters(parameters);
    return RS_OK;
  });
}

rs_status rs_trainer_set_parameters(rs_trainer* trainer, const float* parameters, int64_t count) {
  if (rs_status status = check_count(*trainer, parameters, count)) return status;
  return guarded("set_parameters", [&] {
    trainer->set_parameters(parameters);
    return RS_OK;
  });
}

rs_status rs_trainer_set_learning_rate(rs_trainer* trainer, double lr) {
  if (!is_non_negative(lr)) return fail(RS_INVALID_ARGUMENT, "lr %g must be finite and at least 0", lr);
  trainer->set_learning_rate(lr);
  return RS_OK;
}

int64_t rs_trainer_state_count(const rs_trainer* trainer) { return trainer->state_count(); }

rs_status rs_trainer_get_state(const rs_trainer* trainer, float* moments, int64_t count, rs_optimizer_state* state) {
  if (rs_status status = check_state(*trainer, moments, count, state)) return status;
  return guarded("get_state", [&] {
    trainer->get_state(moments, *state);
    return RS_OK;
  });
}

rs_status rs_trainer_set_state(rs_trainer* trainer, const float* moments, int64_t count,
                               const rs_optimizer_state* state) {
  if (rs_status status = check_state(*trainer, moments, count, state)) return status;
  if (state->steps < 0 || !is_power(state->beta1_power) || !is_power(state->beta2_power)) {
    return fail(RS_INVALID_ARGUMENT, "the optimizer's state has %lld steps and beta powers %g and %g; steps must be at least 0, powers from 0 to 1",
                static_cast<long long>(state->steps), state->beta1_power, state->beta2_power);
  }
  return guarded("set_state", [&] {
    trainer->set_state(moments, *state);
    return RS_OK;
  });
}

rs_status rs_trainer_step(rs_trainer* trainer, const float* x, const float* y, int64_t rows) {
  if (rs_status status = check_batch(*trainer, x, y, rows)) return status;
  return guarded("step", [&] { return trainer->step(x, y, rows); });
}

double rs_trainer_loss(const rs_trainer* trainer) { return trainer->last_loss(); }

rs_status rs_trainer_gradient(rs_trainer* trainer, const float* x, const float* y, int64_t rows, float* gradient,
                              int64_t count, double* loss) {
  if (rs_status status = check_batch(*trainer, x, y, rows)) return status;
  if (rs_status status = check_count(*trainer, gradient, count)) return status;
  if (!loss) return fail(RS_INVALID_ARGUMENT, "loss must not be null");
  return guarded("gradient", [&] {
    *loss = trainer->gradient(x, y, rows, gradient);
    return RS_OK;
  });
}

rs_status rs_trainer_fit(rs_trainer* trainer, const rs_dataset* dataset, rs_fit* fit) {
  if (rs_status status = check_shape(*trainer, dataset)) return status;
  if (rs_status status = check_fit(fit, *dataset)) return status;
  if (rs_status status = check_scale(*trainer, fit->target_scale)) return status;
  if (fit->steps == 0) {  // the rows do not change on the way
    if (rs_status status = check_targets(*trainer, dataset->y.get(), dataset->rows)) return status;
    if (rs_status status = check_weights(*dataset)) return status;
  }
  return guarded("fit", [&] { return trainer->fit(*dataset, *fit); });
}

rs_status rs_trainer_evaluate(rs_trainer* trainer, const rs_dataset* dataset, const float* target_scale, double* loss) {
  if (rs_status status = check_shape(*trainer, dataset)) return status;
  if (rs_status status = check_scale(*trainer, target_scale)) return status;
  if (!loss) return fail(RS_INVALID_ARGUMENT, "loss must not be null");
  if (rs_status status = check_targets(*trainer, dataset->y.get(), dataset->rows)) return status;
  if (rs_status status = check_weights(*dataset)) return status;
  return guarded("evaluate", [&] {
    *loss = trainer->evaluate(*dataset, target_scale);
    return RS_OK;
  });
}

rs_status rs_trainer_predict(rs_trainer* trainer, const float* x, int64_t rows, float* y) {
  if (rows < 0) return fail(RS_INVALID_ARGUMENT, "rows is %lld; it must be at least 0", static_cast<long long>(rows));
  if (rows > 0 && (!x || !y)) return fail(RS_INVALID_ARGUMENT, "x and y must not be null");
  return guarded("predict", [&] {
    trainer->predict(x, rows, y);
    return RS_OK;
  });
}

void rs_trainer_stop(rs_trainer* trainer, int32_t stop) { trainer->set_stop(stop != 0); }
rs_status rs_trainer_probabilities(rs_trainer* trainer, const float* x, int64_t rows, float* y) {
  if (rs_status status = rs_trainer_predict(trainer, x, rows, y)) return status;
  rs::to_probabilities(trainer->settings().loss.kind, rows, trainer->network().outputs(), y);
  return RS_OK;
}

rs_status rs_trainer_get_average(const rs_trainer* trainer, float* average, int64_t count, int64_t* averaged) {
  if (rs_status status = check_count(*trainer, average, count)) return status;
  if (!averaged) return fail(RS_INVALID_ARGUMENT, "averaged must not be null");
  *averaged = trainer->averaged();
  if (*averaged > 0) trainer->get_average(average);
  return RS_OK;
}

rs_status rs_trainer_set_average(rs_trainer* trainer, const float* average, int64_t count, int64_t averaged) {
  if (rs_status status = check_count(*trainer, average, count)) return status;
  if (averaged < 0) return fail(RS_INVALID_ARGUMENT, "averaged must be at least 0");
  return guarded("average", [&] {
    trainer->set_average(average, averaged);
    return RS_OK;
  });
}

rs_status rs_trainer_swap_average(rs_trainer* trainer) {
  if (trainer->averaged() == 0) return fail(RS_INVALID_ARGUMENT, "there is no average of the parameters yet");
  trainer->swap_average();
  return RS_OK;
}

rs_status rs_shuffle_order(uint64_t seed, int64_t epoch, int64_t rows, int64_t* order) {
  if (rows < 1 || epoch < 0 || !order) return fail(RS_INVALID_ARGUMENT, "rows must be at least 1, epoch at least 0, order not null");
  const rs::Shuffle shuffle(seed, static_cast<uint64_t>(epoch), rows);
  for (int64_t i = 0; i < rows; ++i) {
    order[i] = i;
    shuffle.map(order + i, 1);
  }
  return RS_OK;
}

// ---- ranks ----

struct rs_communicator {
  std::unique_ptr<rs::collective::Communicator> ranks;
};

struct rs_tcp_listener {
  rs::collective::Socket socket;
};

namespace {

rs_status check_deadline(double seconds) {
  if (seconds > 0 && seconds <= 1e6) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "the deadline of %g s must be above 0 and at most 1000000 s", seconds);
}

rs::collective::Deadline deadline_of(double seconds) {
  return std::chrono::ceil<rs::collective::Deadline>(std::chrono::duration<double>(seconds));
}

// One "host port" a line.
rs_status parse_addresses(const char* text, int32_t size, std::vector<rs::collective::Address>* addresses) {
  std::istringstream lines(text);
  rs::collective::Address address;
  while (lines >> address.host >> address.port) addresses->push_back(address);
  if (static_cast<int32_t>(addresses->size()) == size && lines.eof()) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "%zu addresses could be read where there are %d ranks", addresses->size(), size);
}

}  // namespace

int32_t rs_last_error_rank(void) { return last_error_rank; }

rs_status rs_local_communicators_create(int32_t size, double deadline_seconds, rs_communicator** communicators) {
  if (size < 1 || size > 1023 || !communicators) {
    return fail(RS_INVALID_ARGUMENT, "size is %d; it must be from 1 to 1023", size);
  }
  if (rs_status status = check_deadline(deadline_seconds)) return status;
  return guarded("local communicators", [&] {
    auto ranks = rs::collective::make_local(size, deadline_of(deadline_seconds));
    std::vector<std::unique_ptr<rs_communicator>> handles;
    for (auto& rank : ranks) handles.emplace_back(new rs_communicator{std::move(rank)});
    for (size_t r = 0; r < handles.size(); ++r) communicators[r] = handles[r].release();
    return RS_OK;
  });
}

rs_status rs_tcp_listener_create(const char* host, rs_tcp_listener** listener) {
  if (!host || !listener) return fail(RS_INVALID_ARGUMENT, "host and listener must not be null");
  *listener = nullptr;
  try {
    *listener = new rs_tcp_listener{rs::collective::Socket::listen(host)};
    return RS_OK;
  } catch (const std::exception& e) {
    return fail(RS_COLLECTIVE_FAILED, "tcp: %s", e.what());
  }
}

int32_t rs_tcp_listener_port(const rs_tcp_listener* listener) { return listener->socket.port(); }
void rs_tcp_listener_destroy(rs_tcp_listener* listener) { delete listener; }

rs_status rs_tcp_communicator_create(const rs_tcp_listener* listener, int32_t rank, int32_t size, const char* addresses,
                                     const void* key, int64_t key_bytes, double deadline_seconds,
                                     rs_communicator** communicator) {
  if (!listener || !addresses || !communicator || key_bytes < 0 || (key_bytes > 0 && !key)) {
    return fail(RS_INVALID_ARGUMENT, "listener, addresses, key and communicator must not be null");
  }
  *communicator = nullptr;
  if (size < 1 || rank < 0 || rank >= size) return fail(RS_INVALID_ARGUMENT, "rank %d of %d ranks", rank, size);
  if (rs_status status = check_deadline(deadline_seconds)) return status;
  std::vector<rs::collective::Address> parsed;
  if (rs_status status = parse_addresses(addresses, size, &parsed)) return status;
  return guarded("tcp", [&] {
    const std::string secret(static_cast<const char*>(key), static_cast<size_t>(key_bytes));
    *communicator = new rs_communicator{
        rs::collective::make_tcp(listener->socket, rank, parsed, secret, deadline_of(deadline_seconds))};
    return RS_OK;
  });
}

rs_status rs_mpi_communicator_create(double deadline_seconds, rs_communicator** communicator) {
  if (!communicator) return fail(RS_INVALID_ARGUMENT, "communicator must not be null");
  *communicator = nullptr;
  if (rs_status status = check_deadline(deadline_seconds)) return status;
  return guarded("mpi", [&] {
    *communicator = new rs_communicator{rs::collective::make_mpi(deadline_of(deadline_seconds))};
    return RS_OK;
  });
}

const char* rs_mpi_version(void) {
  static thread_local std::string version;
  version.clear();
  guarded("mpi", [&] {
    version = rs::collective::mpi_version();
    return RS_OK;
  });
  return version.c_str();
}

rs_status rs_nccl_load(const char* file) {
  return guarded("nccl", [&] {
    rs::collective::load_nccl(file);
    return RS_OK;
  });
}

rs_status rs_nccl_version(int32_t* version) {
  if (!version) return fail(RS_INVALID_ARGUMENT, "version must not be null");
  return guarded("nccl", [&] {
    *version = rs::collective::nccl_version();
    return RS_OK;
  });
}

rs_status rs_nccl_has_windows(int32_t* has) {
  if (!has) return fail(RS_INVALID_ARGUMENT, "has must not be null");
  return guarded("nccl", [&] {
    *has = rs::collective::nccl_has_windows();
    return RS_OK;
  });
}

rs_status rs_nccl_unique_id(void* id) {
  if (!id) return fail(RS_INVALID_ARGUMENT, "id must not be null");
  return guarded("nccl", [&] {
    const rs::collective::NcclId made = rs::collective::make_nccl_id();
    std::memcpy(id, &made, sizeof made);
    return RS_OK;
  });
}

rs_status rs_nccl_communicator_create(const void* id, int32_t device, int32_t rank, int32_t size, double deadline_seconds,
                                      rs_communicator** communicator) {
  if (!id || !communicator) return fail(RS_INVALID_ARGUMENT, "id and communicator must not be null");
  *communicator = nullptr;
  if (size < 1 || rank < 0 || rank >= size) return fail(RS_INVALID_ARGUMENT, "rank %d of %d ranks", rank, size);
  if (rs_status status = check_deadline(deadline_seconds)) return status;
  const rs::Backend* cuda = cuda_backend;
  if (!cuda) return fail(RS_CUDA, "nccl: the CUDA engine is not loaded");
  return guarded("nccl", [&] {
    rs::collective::NcclId own;
    std::memcpy(&own, id, sizeof own);
    std::unique_ptr<rs::collective::Communicator> made(
        cuda->create_nccl(own, device, rank, size, deadline_of(deadline_seconds)));
    *communicator = new rs_communicator{std::move(made)};
    return RS_OK;
  });
}

const char* rs_communicator_name(const rs_communicator* communicator) { return communicator->ranks->name(); }
int32_t rs_communicator_rank(const rs_communicator* communicator) { return communicator->ranks->rank(); }
int32_t rs_communicator_size(const rs_communicator* communicator) { return communicator->ranks->size(); }

rs_status rs_communicator_all_reduce(rs_communicator* communicator, void* values, int64_t count, int32_t element) {
  if (count < 0 || (count > 0 && !values)) return fail(RS_INVALID_ARGUMENT, "values must not be null, count at least 0");
  if (element < RS_FLOAT32_SUM || element > RS_INT64_SUM) return fail(RS_INVALID_ARGUMENT, "element %d is unknown", element);
  return guarded("all-reduce", [&] {
    communicator->ranks->all_reduce(values, count, static_cast<rs::collective::Element>(element));
    return RS_OK;
  });
}

rs_status rs_communicator_all_reduce_floats(rs_communicator* communicator, float* values, int64_t count) {
  return rs_communicator_all_reduce(communicator, values, count, RS_FLOAT32_SUM);
}

rs_status rs_communicator_broadcast(rs_communicator* communicator, void* bytes, int64_t count, int32_t root) {
  if (count < 0 || (count > 0 && !bytes)) return fail(RS_INVALID_ARGUMENT, "bytes must not be null, count at least 0");
  const int32_t size = communicator->ranks->size();
  if (root < 0 || root >= size) return fail(RS_INVALID_ARGUMENT, "root %d is none of %d ranks", root, size);
  return guarded("broadcast", [&] {
    communicator->ranks->broadcast(bytes, count, root);
    return RS_OK;
  });
}

rs_status rs_communicator_barrier(rs_communicator* communicator) {
  return guarded("barrier", [&] {
    communicator->ranks->barrier();
    return RS_OK;
  });
}

rs_status rs_communicator_time_sums(rs_communicator* communicator, int64_t bytes, int64_t sums, double* seconds) {
  if (bytes < 4 || sums < 1 || !seconds) return fail(RS_INVALID_ARGUMENT, "bytes must be at least 4, sums at least 1, seconds not null");
  return guarded("all-reduce", [&] {
    *seconds = communicator->ranks->time_sums(bytes, sums);
    return RS_OK;
  });
}

void rs_communicator_abort(rs_communicator* communicator, int32_t culprit, const char* reason) {
  communicator->ranks->abort(culprit, reason ? reason : "aborted");
}

void rs_communicator_destroy(rs_communicator* communicator) {
  if (communicator) communicator->ranks->close();
  delete communicator;
}

rs_status rs_trainer_set_communicator(rs_trainer* trainer, rs_communicator* communicator, int32_t reduce) {
  if (reduce != RS_REDUCE_EXACT && reduce != RS_REDUCE_FLOAT) return fail(RS_INVALID_ARGUMENT, "reduce %d is unknown", reduce);
  return guarded("trainer", [&] {
    trainer->set_communicator(communicator ? communicator->ranks.get() : nullptr,
                              static_cast<rs::collective::GradientSum::Reduce>(reduce));
    return RS_OK;
  });
}

// ---- ensembles ----

namespace {

constexpr int32_t kMostModels = 1000000;

rs_status check_options(const rs_ensemble_options* options) {
  if (!options) return fail(RS_INVALID_ARGUMENT, "options must not be null");
  if (rs_status status = check_options(&options->model)) return status;
  if (options->models < 1 || options->models > kMostModels) {
    return fail(RS_INVALID_ARGUMENT, "models is %d; it must be from 1 to %d", options->models, kMostModels);
  }
  for (int32_t k = 0; k < options->models; ++k) {
    rs_optimizer own = options->model.optimizer;
    if (options->lr) own.lr = options->lr[k];
    if (options->momentum) own.momentum = options->momentum[k];
    if (options->weight_decay) own.weight_decay = options->weight_decay[k];
    if (check_optimizer(own)) {
      char reason[sizeof last_error];
      std::memcpy(reason, last_error, sizeof reason);
      return fail(RS_INVALID_ARGUMENT, "model %d: %.200s", k, reason);
    }
  }
  return RS_OK;
}

rs_status check_model(const rs_ensemble& ensemble, int32_t model) {
  if (model >= 0 && model < ensemble.models()) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "there is no model %d; they are 0 to %d", model, ensemble.models() - 1);
}

// Each model's own rows, where they have them: at least `least` of them.
rs_status check_ranges(const rs_ensemble& ensemble, const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                       int64_t least) {
  if (!first_rows != !row_counts) return fail(RS_INVALID_ARGUMENT, "first_rows and row_counts must both be null, or neither");
  for (int32_t k = 0; first_rows && k < ensemble.models(); ++k) {
    if (row_counts[k] < least) {
      return fail(RS_INVALID_ARGUMENT, "model %d: it has %lld rows; it must have at least %lld", k,
                  static_cast<long long>(row_counts[k]), static_cast<long long>(least));
    }
    if (first_rows[k] < 0 || row_counts[k] > data.rows - first_rows[k]) {
      return fail(RS_INVALID_ARGUMENT, "model %d: rows %lld to %lld are not within the dataset's %lld", k,
                  static_cast<long long>(first_rows[k]), static_cast<long long>(first_rows[k]) + static_cast<long long>(row_counts[k]) - 1,
                  static_cast<long long>(data.rows));
    }
  }
  return RS_OK;
}

// Whether there is something to do at the end of an epoch but to go on.
bool ends_epochs(const rs_fit& fit) { return fit.losses_capacity > 0 || fit.average.kind != RS_NO_AVERAGE; }

// Models that are averaged have one end of an epoch.
rs_status check_common_epochs(const rs_ensemble& ensemble, const rs_fit* fits, const rs_ensemble_run& run) {
  const rs_fit& first = fits[0];
  for (int32_t k = 0; k < ensemble.models(); ++k) {
    const bool same_rows = !run.row_counts || run.row_counts[k] == run.row_counts[0];
    if (!same_rows || fits[k].batch != first.batch || fits[k].epochs != first.epochs ||
        fits[k].losses_capacity != first.losses_capacity || fits[k].average.kind != first.average.kind) {
      return fail(RS_INVALID_ARGUMENT,
                  "models that are averaged end their epochs together, but model %d has other rows, batch, epochs, "
                  "losses_capacity or average than model 0", k);
    }
  }
  if (first.losses_capacity > 1) {
    return fail(RS_INVALID_ARGUMENT, "losses_capacity is %lld; it must be 0 or 1 where models are averaged",
                static_cast<long long>(first.losses_capacity));
  }
  return RS_OK;
}

bool same_order(const rs_fit& a, const rs_fit& b) {
  return a.batch == b.batch && a.epochs == b.epochs && a.epoch == b.epoch && a.row == b.row && a.steps == b.steps &&
         a.losses_capacity == b.losses_capacity && a.shuffle == b.shuffle && (!a.shuffle || a.seed == b.seed);
}

rs_status check_exchange(const rs_ensemble& ensemble, const rs_fit* fits, const rs_ensemble_run& run) {
  if (run.exchange < RS_EXCHANGE_NEVER || run.exchange > RS_EXCHANGE_GRADIENT) {
    return fail(RS_INVALID_ARGUMENT, "exchange %d is unknown", run.exchange);
  }
  if (run.exchange == RS_EXCHANGE_AVERAGE) {
    if (run.exchange_every < 1) return fail(RS_INVALID_ARGUMENT, "exchange_every must be at least 1");
    double total = 0;
    for (int32_t k = 0; run.exchange_weights && k < ensemble.models(); ++k) {
      const double weight = run.exchange_weights[k];
      if (!(weight >= 0) || !std::isfinite(weight)) {
        return fail(RS_INVALID_ARGUMENT, "exchange_weights: %g of model %d must be finite and at least 0", weight, k);
      }
      total += weight;
    }
    if (run.exchange_weights && !(total > 0)) return fail(RS_INVALID_ARGUMENT, "exchange_weights are all 0");
    if (std::any_of(fits, fits + ensemble.models(), ends_epochs)) return check_common_epochs(ensemble, fits, run);
  }
  if (run.exchange != RS_EXCHANGE_GRADIENT) return RS_OK;
  if (run.first_rows) return fail(RS_INVALID_ARGUMENT, "models that exchange gradients share all rows; they have none of their own");
  if (!ensemble.one_optimizer()) return fail(RS_INVALID_ARGUMENT, "models that exchange gradients must have the same optimizer");
  for (int32_t k = 1; k < ensemble.models(); ++k) {
    if (!same_order(fits[0], fits[k])) {
      return fail(RS_INVALID_ARGUMENT, "models that exchange gradients must do the same fit; that of model %d differs from that of model 0", k);
    }
  }
  return RS_OK;
}

rs_status check_fits(const rs_ensemble& ensemble, const rs_dataset* data, const rs_fit* fits, const rs_ensemble_run* run) {
  if (rs_status status = check_shape(ensemble, data)) return status;
  if (!fits || !run) return fail(RS_INVALID_ARGUMENT, "fits and run must not be null");
  if (rs_status status = check_ranges(ensemble, *data, run->first_rows, run->row_counts, 1)) return status;
  for (int32_t k = 0; k < ensemble.models(); ++k) {
    rs_fit own = fits[k];
    if (own.losses_capacity < 0) {
      return fail(RS_INVALID_ARGUMENT, "model %d: losses_capacity is %lld; it must be at least 0", k,
                  static_cast<long long>(own.losses_capacity));
    }
    own.losses_capacity = own.losses ? 1 : 0;
    if (rs_status status = check_fit(&own, *data)) return status;
    if (rs_status status = check_scale(ensemble, own.target_scale)) return status;
    if (run->row_counts && own.row >= run->row_counts[k]) {
      return fail(RS_INVALID_ARGUMENT, "model %d: the position is outside its rows", k);
    }
  }
  if (run->steps == 0) {  // the rows do not change on the way
    if (rs_status status = check_targets(ensemble, data->y.get(), data->rows)) return status;
    if (rs_status status = check_weights(*data)) return status;
  }
  return check_exchange(ensemble, fits, *run);
}

rs_status check_evaluation(const rs_ensemble& ensemble, const rs_dataset* data, const int64_t* first_rows,
                           const int64_t* row_counts, const float* target_scales, const double* losses) {
  if (rs_status status = check_shape(ensemble, data)) return status;
  if (rs_status status = check_ranges(ensemble, *data, first_rows, row_counts, 0)) return status;
  if (!losses) return fail(RS_INVALID_ARGUMENT, "losses must not be null");
  if (rs_status status = check_targets(ensemble, data->y.get(), data->rows)) return status;
  if (rs_status status = check_weights(*data)) return status;
  for (int32_t k = 0; target_scales && k < ensemble.models(); ++k) {
    const float* own = target_scales + int64_t{k} * ensemble.network().outputs();
    if (rs_status status = check_scale(ensemble, own)) return status;
  }
  return RS_OK;
}

}  // namespace

rs_status rs_ensemble_create(const rs_ensemble_options* options, rs_ensemble** ensemble) {
  if (!ensemble) return fail(RS_INVALID_ARGUMENT, "ensemble must not be null");
  *ensemble = nullptr;
  if (rs_status status = check_options(options)) return status;
  return guarded("ensemble", [&] {
    const rs_trainer_options& model = options->model;
    rs::Network network(model.sizes, model.size_count, static_cast<rs_activation>(model.activation));
    *ensemble = model.engine == RS_ENGINE_CUDA
                    ? cuda_backend.load()->create_ensemble(std::move(network), *options)
                    : static_cast<rs_ensemble*>(new rs::cpu::Ensemble(std::move(network), settings_of(model), *options));
    return RS_OK;
  });
}

void rs_ensemble_destroy(rs_ensemble* ensemble) { delete ensemble; }
int32_t rs_ensemble_models(const rs_ensemble* ensemble) { return ensemble->models(); }
int64_t rs_ensemble_parameter_count(const rs_ensemble* ensemble) { return ensemble->network().parameter_count; }

rs_status rs_ensemble_init(rs_ensemble* ensemble, const uint64_t* seeds) {
  if (!seeds) return fail(RS_INVALID_ARGUMENT, "seeds must not be null");
  return guarded("init", [&] {
    ensemble->initialize(seeds);
    return RS_OK;
  });
}

rs_status rs_ensemble_get_parameters(rs_ensemble* ensemble, int32_t model, float* parameters, int64_t count) {
  if (rs_status status = check_model(*ensemble, model)) return status;
  if (rs_status status = check_count(*ensemble, parameters, count)) return status;
  return guarded("get_parameters", [&] {
    ensemble->get_parameters(model, parameters);
    return RS_OK;
  });
}

rs_status rs_ensemble_set_parameters(rs_ensemble* ensemble, int32_t model, const float* parameters, int64_t count) {
  if (rs_status status = check_model(*ensemble, model)) return status;
  if (rs_status status = check_count(*ensemble, parameters, count)) return status;
  return guarded("set_parameters", [&] {
    ensemble->set_parameters(model, parameters);
    return RS_OK;
  });
}

rs_status rs_ensemble_set_learning_rates(rs_ensemble* ensemble, const double* lr) {
  if (!lr) return fail(RS_INVALID_ARGUMENT, "lr must not be null");
  for (int32_t k = 0; k < ensemble->models(); ++k) {
    if (!is_non_negative(lr[k])) return fail(RS_INVALID_ARGUMENT, "model %d: lr %g must be finite and at least 0", k, lr[k]);
  }
  return guarded("set_learning_rates", [&] {
    ensemble->set_learning_rates(lr);
    return RS_OK;
  });
}

rs_status rs_ensemble_step(rs_ensemble* ensemble, const float* x, const float* y, int64_t rows) {
  if (rs_status status = check_batch(*ensemble, x, y, rows)) return status;
  return guarded("step", [&] {
    ensemble->step(x, y, rows);
    return RS_OK;
  });
}

rs_status rs_ensemble_losses(rs_ensemble* ensemble, double* losses) {
  if (!losses) return fail(RS_INVALID_ARGUMENT, "losses must not be null");
  ensemble->losses(losses);
  return RS_OK;
}

rs_status rs_ensemble_failures(rs_ensemble* ensemble, int64_t* steps) {
  if (!steps) return fail(RS_INVALID_ARGUMENT, "steps must not be null");
  ensemble->failures(steps);
  return RS_OK;
}

rs_status rs_ensemble_fit(rs_ensemble* ensemble, const rs_dataset* dataset, rs_fit* fits, rs_ensemble_run* run) {
  if (rs_status status = check_fits(*ensemble, dataset, fits, run)) return status;
  return guarded("fit", [&] {
    ensemble->set_exchange(static_cast<rs_exchange>(run->exchange));
    ensemble->fit(*dataset, fits, *run);
    return RS_OK;
  });
}

rs_status rs_ensemble_set_communicator(rs_ensemble* ensemble, rs_communicator* communicator) {
  return guarded("ensemble", [&] {
    ensemble->set_communicator(communicator ? communicator->ranks.get() : nullptr);
    return RS_OK;
  });
}

void rs_ensemble_stop(rs_ensemble* ensemble, int32_t stop) { ensemble->set_stop(stop != 0); }

rs_status rs_ensemble_evaluate(rs_ensemble* ensemble, const rs_dataset* dataset, const int64_t* first_rows,
                               const int64_t* row_counts, const float* target_scales, double* losses) {
  if (rs_status status = check_evaluation(*ensemble, dataset, first_rows, row_counts, target_scales, losses)) return status;
  return guarded("evaluate", [&] {
    ensemble->evaluate(*dataset, first_rows, row_counts, target_scales, losses);
    return RS_OK;
  });
}

rs_status rs_ensemble_validate(rs_ensemble* ensemble, const rs_dataset* dataset, const int64_t* first_rows,
                               const int64_t* row_counts, const float* target_scales, const int32_t* which, double* losses) {
  if (!which) return fail(RS_INVALID_ARGUMENT, "which must not be null");
  if (rs_status status = check_evaluation(*ensemble, dataset, first_rows, row_counts, target_scales, losses)) return status;
  if (first_rows && ensemble->exchange() != RS_EXCHANGE_NEVER) {
    return fail(RS_INVALID_ARGUMENT, "models that exchange are validated as one; they have no rows of their own for it");
  }
  return guarded("validate", [&] {
    ensemble->validate(*dataset, first_rows, row_counts, target_scales, which, losses);
    return RS_OK;
  });
}

rs_status rs_ensemble_keep(rs_ensemble* ensemble, const int32_t* which) {
  if (!which) return fail(RS_INVALID_ARGUMENT, "which must not be null");
  return guarded("keep", [&] {
    ensemble->keep(which);
    return RS_OK;
  });
}

rs_status rs_ensemble_take(rs_ensemble* ensemble, const int32_t* which) {
  if (!which) return fail(RS_INVALID_ARGUMENT, "which must not be null");
  return guarded("take", [&] {
    ensemble->take(which);
    return RS_OK;
  });
}

rs_status rs_ensemble_mean_loss(rs_ensemble* ensemble, const double* losses, double* mean) {
  if (!losses || !mean) return fail(RS_INVALID_ARGUMENT, "losses and mean must not be null");
  return guarded("mean_loss", [&] {
    *mean = ensemble->mean_loss(losses);
    return RS_OK;
  });
}

rs_status rs_ensemble_predict(rs_ensemble* ensemble, const float* x, int64_t rows, float* y) {
  if (rows < 0) return fail(RS_INVALID_ARGUMENT, "rows is %lld; it must be at least 0", static_cast<long long>(rows));
  if (rows > 0 && (!x || !y)) return fail(RS_INVALID_ARGUMENT, "x and y must not be null");
  return guarded("predict", [&] {
    ensemble->predict(x, rows, y);
    return RS_OK;
  });
}
