/* Trains through the C ABI alone, from C. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringstep.h"

#define REQUIRE(condition)                                                            \
  do {                                                                                \
    if (!(condition)) {                                                               \
      printf("%s:%d: %s failed: %s\n", __FILE__, __LINE__, #condition, rs_last_error()); \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

enum { ROWS = 200, IN = 10 };

/* y = 1 + 2 x0 - x9 */
static rs_dataset* make_data(void) {
  rs_dataset* data = NULL;
  REQUIRE(rs_dataset_create(ROWS, IN, 1, &data) == RS_OK);
  float* x = rs_dataset_x(data);
  float* y = rs_dataset_y(data);
  unsigned state = 1;
  for (int i = 0; i < ROWS * IN; ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
  for (int r = 0; r < ROWS; ++r) y[r] = 1.0f + 2.0f * x[r * IN] - x[r * IN + 9];
  return data;
}

static rs_trainer* make_trainer(double lr) {
  const int32_t sizes[] = {IN, 20, 1};
  const rs_trainer_options options = {
      .sizes = sizes, .size_count = 3, .activation = RS_IDENTITY, .optimizer = {.kind = RS_SGD, .lr = lr}};
  rs_trainer* trainer = NULL;
  REQUIRE(rs_trainer_create(&options, &trainer) == RS_OK);
  REQUIRE(rs_trainer_init(trainer, 7) == RS_OK);
  return trainer;
}

static void trains_to_the_solution(void) {
  rs_dataset* data = make_data();
  rs_trainer* trainer = make_trainer(0.01);
  double losses[8], loss;
  rs_fit fit = {.batch = 1, .epochs = 20, .shuffle = 1, .seed = 3, .losses = losses, .losses_capacity = 8};
  while (!fit.done) REQUIRE(rs_trainer_fit(trainer, data, &fit) == RS_OK);
  REQUIRE(fit.steps == 20 * ROWS && fit.losses_count == 4);
  REQUIRE(rs_trainer_evaluate(trainer, data, NULL, &loss) == RS_OK);
  REQUIRE(loss < 1e-6);

  float x[IN] = {0.5f}, y = 0;
  REQUIRE(rs_trainer_predict(trainer, x, 1, &y) == RS_OK);
  REQUIRE(fabsf(y - 2.0f) < 1e-2f);
  rs_trainer_destroy(trainer);
  rs_dataset_destroy(data);
}

static void says_what_is_wrong(void) {
  const int32_t sizes[] = {10, 0, 1};
  const rs_trainer_options options = {
      .sizes = sizes, .size_count = 3, .activation = RS_IDENTITY, .optimizer = {.kind = RS_SGD, .lr = 0.01}};
  rs_trainer* trainer = NULL;
  REQUIRE(rs_trainer_create(&options, &trainer) == RS_INVALID_ARGUMENT);
  REQUIRE(trainer == NULL && strstr(rs_last_error(), "at least 1") != NULL);
}

static void stops_before_the_loss_overflows(void) {
  rs_dataset* data = make_data();
  rs_trainer* trainer = make_trainer(1e6);
  float parameters[241];
  rs_fit fit = {.batch = 1, .epochs = 1};
  REQUIRE(rs_trainer_fit(trainer, data, &fit) == RS_NON_FINITE);
  REQUIRE(fit.steps > 0 && fit.steps < ROWS);
  REQUIRE(rs_trainer_get_parameters(trainer, parameters, 241) == RS_OK);
  for (int i = 0; i < 241; ++i) REQUIRE(isfinite(parameters[i]));
  rs_trainer_destroy(trainer);
  rs_dataset_destroy(data);
}

/* A target that was divided by 3 before training: losses are 9 times those of the scaled one. */
static void reports_losses_in_the_targets_own_units(void) {
  const float scale = 3.0f;
  const int64_t batches[] = {1, 5, ROWS};
  rs_dataset* data = make_data();
  for (int i = 0; i < 3; ++i) {
    rs_trainer* trainer = make_trainer(0);
    double scaled, own, losses[1];
    rs_fit fit = {.batch = batches[i], .epochs = 1, .target_scale = &scale, .losses = losses, .losses_capacity = 1};
    REQUIRE(rs_trainer_fit(trainer, data, &fit) == RS_OK);
    REQUIRE(rs_trainer_evaluate(trainer, data, NULL, &scaled) == RS_OK);
    REQUIRE(rs_trainer_evaluate(trainer, data, &scale, &own) == RS_OK);
    REQUIRE(fabs(own / (9 * scaled) - 1) < 1e-6 && fabs(losses[0] / own - 1) < 1e-6);
    rs_trainer_destroy(trainer);
  }
  rs_dataset_destroy(data);
}

int main(void) {
  REQUIRE(rs_abi_version() == RS_ABI_VERSION);
  trains_to_the_solution();
  reports_losses_in_the_targets_own_units();
  says_what_is_wrong();
  stops_before_the_loss_overflows();
  printf("trained on %s with %d processors\n", rs_cpu_simd(), rs_cpu_count());
  return 0;
}
