// The C ABI: checks arguments, and turns C++ exceptions into status codes.
#include "ringstep.h"

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
#include "cpu/kernels.h"
#include "cpu/cpu_trainer.h"
#include "dataset.h"
#include "device_error.h"
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
  } catch (const rs::DeviceError& e) {
    return fail(e.status, "%s: %s", operation, e.what());
  } catch (const rs::collective::Failure& e) {
    last_error_rank = e.rank;
    return fail(status_of(e), "%s: %s", operation, e.what());
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

rs_status check_batch(const float* x, const float* y, int64_t rows) {
  if (!x || !y) return fail(RS_INVALID_ARGUMENT, "x and y must not be null");
  if (rows < 1) return fail(RS_INVALID_ARGUMENT, "rows is %lld; it must be at least 1", static_cast<long long>(rows));
  return RS_OK;
}

rs_status check_count(const rs_trainer& trainer, const float* values, int64_t count) {
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

rs_status check_shape(const rs_trainer& trainer, const rs_dataset* data) {
  if (!data) return fail(RS_INVALID_ARGUMENT, "the dataset must not be null");
  const int32_t inputs = trainer.network().inputs(), outputs = trainer.network().outputs();
  if (data->inputs == inputs && data->outputs == outputs) return RS_OK;
  return fail(RS_INVALID_ARGUMENT, "the dataset has %d inputs and %d outputs, the network %d and %d", data->inputs,
              data->outputs, inputs, outputs);
}

// Squares of the scales weigh the loss, in float32.
rs_status check_scale(const rs_trainer& trainer, const float* target_scale) {
  for (int32_t o = 0; target_scale && o < trainer.network().outputs(); ++o) {
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
  return RS_OK;
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
void rs_dataset_destroy(rs_dataset* dataset) { delete dataset; }

// ---- trainers ----

rs_status rs_trainer_create(const rs_trainer_options* options, rs_trainer** trainer) {
  if (!trainer) return fail(RS_INVALID_ARGUMENT, "trainer must not be null");
  *trainer = nullptr;
  if (rs_status status = check_options(options)) return status;
  return guarded("trainer", [&] {
    rs::Network network(options->sizes, options->size_count, static_cast<rs_activation>(options->activation));
    *trainer = options->engine == RS_ENGINE_CUDA
                   ? cuda_backend.load()->create(std::move(network), *options)
                   : new rs::cpu::Trainer(std::move(network), options->optimizer, options->threads);
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
  if (rs_status status = check_batch(x, y, rows)) return status;
  return guarded("step", [&] { return trainer->step(x, y, rows); });
}

double rs_trainer_loss(const rs_trainer* trainer) { return trainer->last_loss(); }

rs_status rs_trainer_gradient(rs_trainer* trainer, const float* x, const float* y, int64_t rows, float* gradient,
                              int64_t count, double* loss) {
  if (rs_status status = check_batch(x, y, rows)) return status;
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
  return guarded("fit", [&] { return trainer->fit(*dataset, *fit); });
}

rs_status rs_trainer_evaluate(rs_trainer* trainer, const rs_dataset* dataset, const float* target_scale, double* loss) {
  if (rs_status status = check_shape(*trainer, dataset)) return status;
  if (rs_status status = check_scale(*trainer, target_scale)) return status;
  if (!loss) return fail(RS_INVALID_ARGUMENT, "loss must not be null");
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

rs_status rs_nccl_unique_id(void* id) {
  if (!id) return fail(RS_INVALID_ARGUMENT, "id must not be null");
  return guarded("nccl", [&] {
    const rs::collective::NcclId made = rs::collective::make_nccl_id();
    std::memcpy(id, &made, sizeof made);
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
