/* Every way to call the C ABI wrongly: a status, a message, and a handle that is as before. */
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "ringstep.h"
#include "sanitizers.h"

enum { IN = 3, OUT = 2, ROWS = 4000, PARAMETERS = (IN + 1) * 5 + (5 + 1) * OUT };

static const int32_t kSizes[] = {IN, 5, OUT};
static const rs_optimizer kSgd = {.kind = RS_SGD, .lr = 0.01};
static const rs_optimizer kAdam = {.kind = RS_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};

#define REFUSED_AS(status, call, text)                                                     \
  do {                                                                                     \
    const rs_status got = (call);                                                          \
    CHECK(got == (status), "%s gives %d", #call, got);                                     \
    CHECK(strstr(rs_last_error(), (text)), "%s says: %s", #call, rs_last_error());         \
  } while (0)
#define REFUSED(call, text) REFUSED_AS(RS_INVALID_ARGUMENT, call, text)
#define DONE(call) CHECK((call) == RS_OK, "%s", rs_last_error())

static rs_trainer_options network(const int32_t* sizes, int32_t count, rs_optimizer optimizer) {
  return (rs_trainer_options){
      .sizes = sizes, .size_count = count, .activation = RS_TANH, .optimizer = optimizer, .threads = 2};
}

static rs_trainer* make_trainer(const int32_t* sizes, int32_t count, rs_optimizer optimizer) {
  rs_trainer* trainer = NULL;
  const rs_trainer_options options = network(sizes, count, optimizer);
  DONE(rs_trainer_create(&options, &trainer));
  DONE(rs_trainer_init(trainer, 1));
  return trainer;
}

static rs_dataset* make_data(int64_t rows, int32_t inputs, int32_t outputs) {
  rs_dataset* data = NULL;
  DONE(rs_dataset_create(rows, inputs, outputs, &data));
  for (int64_t i = 0; i < rows * inputs; ++i) rs_dataset_x(data)[i] = (float)(i % 7) - 3;
  for (int64_t i = 0; i < rows * outputs; ++i) rs_dataset_y(data)[i] = (float)(i % 5) - 2;
  return data;
}

/* ---- what may be created ---- */

#define NO_DATASET(status, rows, inputs, outputs, text)                                     \
  do {                                                                                      \
    rs_dataset* data = (rs_dataset*)&data;                                                  \
    REFUSED_AS(status, rs_dataset_create(rows, inputs, outputs, &data), text);              \
    CHECK(data == NULL, "%s", #rows);                                                       \
  } while (0)

static void refuses_datasets(void) {
  REFUSED(rs_dataset_create(1, 1, 1, NULL), "dataset");
  NO_DATASET(RS_INVALID_ARGUMENT, 0, 1, 1, "at least 1");
  NO_DATASET(RS_INVALID_ARGUMENT, -1, 1, 1, "at least 1");
  NO_DATASET(RS_INVALID_ARGUMENT, 1, 0, 1, "at least 1");
  NO_DATASET(RS_INVALID_ARGUMENT, 1, 1, INT32_MIN, "at least 1");
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_C(1) << 62, 1, 1, "memory");
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_C(1) << 62, 4, 1, "memory");
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_C(1) << 62, 1, 8, "memory");
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_MAX, INT32_MAX, INT32_MAX, "memory");
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_MAX / INT32_MAX, INT32_MAX, 1, "memory");
}

static void refuse_trainer(const rs_trainer_options* options, const char* text) {
  rs_trainer* trainer = (rs_trainer*)&trainer;
  REFUSED(rs_trainer_create(options, &trainer), text);
  CHECK(trainer == NULL, "%s", text);
}

static void refuse_sizes(const int32_t* sizes, int32_t count, const char* text) {
  const rs_trainer_options options = network(sizes, count, kSgd);
  refuse_trainer(&options, text);
}

static void refuses_trainers(void) {
  rs_trainer_options options = network(kSizes, 3, kSgd);
  REFUSED(rs_trainer_create(&options, NULL), "trainer");
  refuse_trainer(NULL, "options");
  refuse_sizes(NULL, 3, "two sizes");
  refuse_sizes(kSizes, 1, "two sizes");
  refuse_sizes(kSizes, -1, "two sizes");
  refuse_sizes((const int32_t[]){3, 0, 1}, 3, "size 1 ");
  refuse_sizes((const int32_t[]){3, 4, -5}, 3, "-5");
  refuse_sizes((const int32_t[]){50000, 50000}, 2, "parameters");
  refuse_sizes((const int32_t[]){4194305, 1}, 2, "at most 4194304");
  refuse_sizes((const int32_t[]){INT32_MAX, INT32_MAX, INT32_MAX}, 3, "at most");
  options.activation = -1, refuse_trainer(&options, "activation -1");
  options.activation = 4, refuse_trainer(&options, "activation 4");
  options.activation = RS_TANH, options.threads = -1, refuse_trainer(&options, "threads");
}

static void refuse_optimizer(rs_optimizer optimizer, const char* text) {
  const rs_trainer_options options = network(kSizes, 3, optimizer);
  refuse_trainer(&options, text);
}

static void accept_optimizer(rs_optimizer optimizer) { rs_trainer_destroy(make_trainer(kSizes, 3, optimizer)); }

static void refuses_optimizers(void) {
  const double negative_infinite_nan[] = {-0.5, INFINITY, NAN};
  rs_optimizer o;
  for (int kind = -1; kind <= 3; kind += 4) o = kSgd, o.kind = kind, refuse_optimizer(o, "kind");
  for (int i = 0; i < 3; ++i) {
    const double bad = negative_infinite_nan[i];
    o = kSgd, o.lr = bad, refuse_optimizer(o, "lr");
    o = kAdam, o.lr = bad, refuse_optimizer(o, "lr");
    o = kSgd, o.weight_decay = bad, refuse_optimizer(o, "weight_decay");
    o = kSgd, o.momentum = bad, refuse_optimizer(o, "momentum");
    o = kAdam, o.beta1 = bad, refuse_optimizer(o, "beta1");
    o = kAdam, o.beta2 = bad, refuse_optimizer(o, "beta2");
    o = kAdam, o.eps = bad, refuse_optimizer(o, "eps");
    /* What an optimizer does not have is ignored. */
    o = kSgd, o.beta1 = o.beta2 = o.eps = bad, accept_optimizer(o);
    o = kAdam, o.momentum = bad, o.nesterov = 1, accept_optimizer(o);
  }
  o = kAdam, o.beta1 = 1, refuse_optimizer(o, "beta1");
  o = kAdam, o.beta2 = 1, refuse_optimizer(o, "beta2");
  o = kSgd, o.nesterov = 1, refuse_optimizer(o, "nesterov");
  o = kSgd, o.lr = 0, accept_optimizer(o);
}

/* ---- what a trainer may be asked ---- */

static void refuses_parameters(rs_trainer* t) {
  float p[PARAMETERS + 1] = {0};
  REFUSED(rs_trainer_get_parameters(t, NULL, PARAMETERS), "parameters");
  REFUSED(rs_trainer_get_parameters(t, p, PARAMETERS - 1), "31 values");
  REFUSED(rs_trainer_set_parameters(t, NULL, PARAMETERS), "parameters");
  REFUSED(rs_trainer_set_parameters(t, p, PARAMETERS + 1), "33 values");
  REFUSED(rs_trainer_set_learning_rate(t, -1), "lr");
  REFUSED(rs_trainer_set_learning_rate(t, NAN), "lr");
  REFUSED(rs_trainer_set_learning_rate(t, INFINITY), "lr");
}

static void refuses_batches(rs_trainer* t) {
  float x[IN] = {0}, y[OUT] = {0}, gradient[PARAMETERS];
  double loss;
  REFUSED(rs_trainer_step(t, NULL, y, 1), "null");
  REFUSED(rs_trainer_step(t, x, NULL, 1), "null");
  REFUSED(rs_trainer_step(t, x, y, 0), "rows is 0");
  REFUSED(rs_trainer_step(t, x, y, INT64_MIN), "rows");
  REFUSED(rs_trainer_gradient(t, NULL, y, 1, gradient, PARAMETERS, &loss), "null");
  REFUSED(rs_trainer_gradient(t, x, NULL, 1, gradient, PARAMETERS, &loss), "null");
  REFUSED(rs_trainer_gradient(t, x, y, 0, gradient, PARAMETERS, &loss), "rows");
  REFUSED(rs_trainer_gradient(t, x, y, 1, NULL, PARAMETERS, &loss), "parameters");
  REFUSED(rs_trainer_gradient(t, x, y, 1, gradient, 1, &loss), "parameters");
  REFUSED(rs_trainer_gradient(t, x, y, 1, gradient, PARAMETERS, NULL), "loss");
  REFUSED(rs_trainer_predict(t, x, -1, y), "rows is -1");
  REFUSED(rs_trainer_predict(t, NULL, 1, y), "null");
  REFUSED(rs_trainer_predict(t, x, 1, NULL), "null");
  DONE(rs_trainer_predict(t, NULL, 0, NULL));
}

static void refuse_fit(rs_trainer* t, const rs_dataset* data, rs_fit fit, const char* text) {
  const rs_fit before = fit;
  REFUSED(rs_trainer_fit(t, data, &fit), text);
  CHECK(fit.epoch == before.epoch && fit.row == before.row && fit.steps == before.steps, "%s", text);
}

static void refuses_fits(rs_trainer* t) {
  rs_dataset* data = make_data(100, IN, OUT);
  rs_dataset* narrow = make_data(1, IN - 1, OUT);
  rs_dataset* wide = make_data(1, IN, OUT + 1);
  const rs_fit good = {.batch = 10, .epochs = 2};
  rs_fit fit = good;
  double loss;
  REFUSED(rs_trainer_fit(t, data, NULL), "fit");
  refuse_fit(t, NULL, good, "dataset");
  refuse_fit(t, narrow, good, "2 inputs");
  refuse_fit(t, wide, good, "3 outputs");
  fit = good, fit.batch = 0, refuse_fit(t, data, fit, "batch");
  fit = good, fit.epochs = 0, refuse_fit(t, data, fit, "epochs");
  fit = good, fit.epoch = -1, refuse_fit(t, data, fit, "position");
  fit = good, fit.epoch = 3, refuse_fit(t, data, fit, "position");
  fit = good, fit.row = -1, refuse_fit(t, data, fit, "position");
  fit = good, fit.row = 100, refuse_fit(t, data, fit, "position");
  fit = good, fit.losses = &loss, refuse_fit(t, data, fit, "capacity");
  REFUSED(rs_trainer_evaluate(t, NULL, NULL, &loss), "dataset");
  REFUSED(rs_trainer_evaluate(t, wide, NULL, &loss), "3 outputs");
  REFUSED(rs_trainer_evaluate(t, data, NULL, NULL), "loss");

  /* An ended fit goes no further. */
  fit = good;
  DONE(rs_trainer_fit(t, data, &fit));
  CHECK(fit.done && fit.steps == 20, "%lld steps", (long long)fit.steps);
  DONE(rs_trainer_fit(t, data, &fit));
  CHECK(fit.done && fit.steps == 20 && fit.losses_count == 0, "%lld steps", (long long)fit.steps);
  rs_dataset_destroy(wide);
  rs_dataset_destroy(narrow);
  rs_dataset_destroy(data);
}

/* ---- losses that are not finite ---- */

static void same_parameters(const rs_trainer* a, const rs_trainer* b, const char* what) {
  float p[PARAMETERS], q[PARAMETERS];
  DONE(rs_trainer_get_parameters(a, p, PARAMETERS));
  DONE(rs_trainer_get_parameters(b, q, PARAMETERS));
  CHECK(memcmp(p, q, sizeof p) == 0, "%s", what);
}

static void does_not_apply_steps_that_are_not_finite(void) {
  const int64_t batches[] = {1, 5, 100, ROWS};
  rs_dataset* data = make_data(ROWS, IN, OUT);
  for (int i = 0; i < 4; ++i) {
    rs_trainer* trainer = make_trainer(kSizes, 3, kAdam);
    rs_trainer* untouched = make_trainer(kSizes, 3, kAdam);
    CHECK(isnan(rs_trainer_loss(trainer)), "a loss before the first step");
    float* bad = rs_dataset_x(data) + (batches[i] - 1) * IN;
    const float good = *bad;
    *bad = NAN;
    REFUSED_AS(RS_NON_FINITE, rs_trainer_step(trainer, rs_dataset_x(data), rs_dataset_y(data), batches[i]), "step");
    *bad = good;
    CHECK(!isfinite(rs_trainer_loss(trainer)), "the loss of such a step");
    same_parameters(trainer, untouched, "the step was applied");
    DONE(rs_trainer_step(trainer, rs_dataset_x(data), rs_dataset_y(data), batches[i]));
    DONE(rs_trainer_step(untouched, rs_dataset_x(data), rs_dataset_y(data), batches[i]));
    same_parameters(trainer, untouched, "the optimizer's state has changed");
    rs_trainer_destroy(untouched);
    rs_trainer_destroy(trainer);
  }
  rs_dataset_destroy(data);
}

static void stops_a_fit_before_a_loss_that_is_not_finite(void) {
  rs_dataset* data = make_data(100, IN, OUT);
  rs_trainer* trainer = make_trainer(kSizes, 3, kAdam);
  rs_trainer* stepped = make_trainer(kSizes, 3, kAdam);
  rs_dataset_y(data)[37 * OUT] = INFINITY;
  rs_fit fit = {.batch = 5, .epochs = 3};
  REFUSED_AS(RS_NON_FINITE, rs_trainer_fit(trainer, data, &fit), "fit");
  CHECK(fit.steps == 7 && fit.row == 35 && fit.epoch == 0 && !fit.done, "%lld steps", (long long)fit.steps);
  for (int64_t row = 0; row < 35; row += 5) {
    DONE(rs_trainer_step(stepped, rs_dataset_x(data) + row * IN, rs_dataset_y(data) + row * OUT, 5));
  }
  same_parameters(trainer, stepped, "not the steps before");
  rs_trainer_destroy(stepped);
  rs_trainer_destroy(trainer);
  rs_dataset_destroy(data);
}

/* ---- too little memory ---- */

static void limit_memory(rlim_t bytes) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0, "getrlimit");
  limit.rlim_cur = bytes > limit.rlim_max ? limit.rlim_max : bytes;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}

static rlim_t memory_in_use(void) {
  long pages = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  CHECK(file && fscanf(file, "%ld", &pages) == 1, "/proc/self/statm");
  fclose(file);
  return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Its blocks of a large batch need 8 times the memory of its parameters. */
static void survives_a_step_without_memory(void) {
  enum { WIDTH = 1000, MANY = 600 };
  const int32_t sizes[] = {WIDTH, WIDTH, 1};
  rs_trainer* trainer = make_trainer(sizes, 3, kSgd);
  rs_dataset* data = make_data(MANY, WIDTH, 1);
  const int64_t count = rs_trainer_parameter_count(trainer);
  float* before = malloc((size_t)count * sizeof *before);
  float* after = malloc((size_t)count * sizeof *after);
  DONE(rs_trainer_get_parameters(trainer, before, count));

  limit_memory(memory_in_use() + ((rlim_t)8 << 20));
  REFUSED_AS(RS_OUT_OF_MEMORY, rs_trainer_step(trainer, rs_dataset_x(data), rs_dataset_y(data), MANY), "memory");
  rs_fit fit = {.batch = MANY, .epochs = 1};
  REFUSED_AS(RS_OUT_OF_MEMORY, rs_trainer_fit(trainer, data, &fit), "memory");
  limit_memory(RLIM_INFINITY);
  DONE(rs_trainer_get_parameters(trainer, after, count));
  CHECK(memcmp(before, after, (size_t)count * sizeof *before) == 0, "the parameters have changed");
  DONE(rs_trainer_step(trainer, rs_dataset_x(data), rs_dataset_y(data), MANY));
  free(after);
  free(before);
  rs_dataset_destroy(data);
  rs_trainer_destroy(trainer);
}

static void says_when_there_is_too_little_memory(void) {
  if (TEST_SANITIZED) return; /* their shadow memory leaves nothing to limit */
  survives_a_step_without_memory();
  limit_memory((rlim_t)1 << 30);
  NO_DATASET(RS_OUT_OF_MEMORY, INT64_C(1) << 28, 1, 1, "memory");
  rs_trainer* trainer = (rs_trainer*)&trainer;
  const int32_t sizes[] = {20000, 20000, 1};
  const rs_trainer_options options = network(sizes, 3, kSgd);
  REFUSED_AS(RS_OUT_OF_MEMORY, rs_trainer_create(&options, &trainer), "memory");
  CHECK(trainer == NULL, "out of memory");
  limit_memory(RLIM_INFINITY);
}

/* ---- messages ---- */

static void* has_no_error(void* argument) {
  CHECK(strcmp(rs_last_error(), "") == 0, "a new thread has the message %s", rs_last_error());
  return argument;
}

static void keeps_a_message_for_each_thread(void) {
  pthread_t thread;
  REFUSED(rs_dataset_create(0, 1, 1, NULL), "dataset");
  CHECK(pthread_create(&thread, NULL, &has_no_error, NULL) == 0, "pthread_create");
  CHECK(pthread_join(thread, NULL) == 0, "pthread_join");
  rs_dataset_destroy(make_data(1, 1, 1));
  CHECK(strstr(rs_last_error(), "dataset"), "a call that succeeds keeps the message");
}

int main(void) {
  CHECK(rs_abi_version() == RS_ABI_VERSION && rs_version()[0] != '\0', "version %s", rs_version());
  CHECK(strcmp(rs_last_error(), "") == 0, "a message before any failure: %s", rs_last_error());
  refuses_datasets();
  refuses_trainers();
  refuses_optimizers();
  rs_trainer* trainer = make_trainer(kSizes, 3, kSgd);
  rs_trainer* untouched = make_trainer(kSizes, 3, kSgd);
  CHECK(rs_trainer_parameter_count(trainer) == PARAMETERS, "%lld parameters", (long long)rs_trainer_parameter_count(trainer));
  refuses_parameters(trainer);
  refuses_batches(trainer);
  same_parameters(trainer, untouched, "a refused call changed something");
  refuses_fits(trainer);
  rs_trainer_destroy(untouched);
  rs_trainer_destroy(trainer);
  rs_trainer_destroy(NULL);
  rs_dataset_destroy(NULL);
  does_not_apply_steps_that_are_not_finite();
  stops_a_fit_before_a_loss_that_is_not_finite();
  says_when_there_is_too_little_memory();
  keeps_a_message_for_each_thread();
  return 0;
}
