// What goes wrong on a device, and what is left then: a loss that is not finite, too little memory, a device that is
// lost, one that hangs. Each is provoked in a process of its own, named by the argument.
#include <cstdio>
#include <cstring>

#include "cuda_engine.h"

using test::Dataset;
using test::Outcome;
using test::Trainer;
using test::Work;

namespace {

const Work kPersistent = {"persistent", {10, 20, 1}, RS_TANH, test::sgd(0.05, 0, false, 0), 60, 8, 4, "persistent"};
const Work kWindows = {"windows", {6, 9, 2}, RS_TANH, test::sgd(0.05, 0.9, false, 0), 500, 4, 2, "layered"};
const Work kEpochs = {"epochs", {6, 9, 2}, RS_TANH, test::adam(RS_ADAM, 0.01, 0), 20, 10, 80, "layered"};

void require_message(const char* part) {
  CHECK(std::strstr(rs_last_error(), part), "'%s' is not in: %s", part, rs_last_error());
}

// A row is poisoned in the middle of an epoch: the fit stops before its step, with the bits of a fit so far.
void non_finite(const Work& work) {
  const int64_t bad_row = work.rows * 2 / 3 / work.batch * work.batch;
  const Dataset data = work.data();
  rs_dataset_y(data.get())[bad_row * work.sizes.back()] = INFINITY;
  const Trainer trainer = work.trainer();
  rs_fit fit = work.fit(false);
  std::vector<double> losses(static_cast<size_t>(work.epochs));
  fit.losses = losses.data();
  fit.losses_capacity = work.epochs;
  CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_NON_FINITE, "%s", rs_last_error());
  CHECK(fit.steps == bad_row / work.batch && fit.row == bad_row && fit.epoch == 0 && !fit.done, "%s: step %d, row %d",
        work.name, static_cast<int>(fit.steps), static_cast<int>(fit.row));
  CHECK(std::isinf(rs_trainer_loss(trainer.get())), "%s: loss %g", work.name, rs_trainer_loss(trainer.get()));

  const Trainer sound = work.trainer();
  const Dataset sound_data = work.data();
  const int64_t in = work.sizes.front(), out = work.sizes.back();
  for (int64_t row = 0; row < bad_row; row += work.batch) {
    CHECK_OK(rs_trainer_step(sound.get(), rs_dataset_x(sound_data.get()) + row * in,
                             rs_dataset_y(sound_data.get()) + row * out, work.batch));
  }
  const std::vector<float> actual = test::parameters_of(trainer), expected = test::parameters_of(sound);
  CHECK(actual == expected, "%s: the parameters are not those of the last finite step", work.name);

  // The step alone fails as well and changes nothing; the next one is taken.
  const float* bad_y = rs_dataset_y(data.get()) + bad_row * out;
  const float* x = rs_dataset_x(data.get()) + bad_row * in;
  CHECK(rs_trainer_step(trainer.get(), x, bad_y, work.batch) == RS_NON_FINITE, "%s", work.name);
  CHECK(test::parameters_of(trainer) == expected, "%s: a step that failed changed something", work.name);
  CHECK_OK(rs_trainer_step(trainer.get(), x, rs_dataset_y(sound_data.get()) + bad_row * out, work.batch));
  CHECK(test::parameters_of(trainer) != expected, "%s: no step was taken after one that failed", work.name);
}

// Goes on with less memory, or says how much is missing and leaves everything as it was.
void out_of_memory() {
  const Outcome expected = test::train(kWindows, true);
  const Trainer trainer = kWindows.trainer();
  const Dataset data = kWindows.data();
  const std::vector<float> before = test::parameters_of(trainer);
  for (int after = 0; after < 8; ++after) {
    // Each allocation in turn, and the second attempt after it too.
    simt::machine().fail("cudaMallocFromPoolAsync", cudaErrorMemoryAllocation, after);
    simt::machine().fail("cudaMallocFromPoolAsync", cudaErrorMemoryAllocation, after);
    rs_fit fit = kWindows.fit(true);
    fit.epochs = 1;
    const rs_status status = rs_trainer_fit(trainer.get(), data.get(), &fit);
    simt::machine().reset();
    if (status == RS_OK) {
      CHECK_OK(rs_trainer_set_parameters(trainer.get(), before.data(), static_cast<int64_t>(before.size())));
      continue;
    }
    CHECK(status == RS_CUDA_OUT_OF_MEMORY, "%s", rs_last_error());
    require_message("out of memory");
    require_message("MiB");
    CHECK(fit.steps == 0 && test::parameters_of(trainer) == before, "a fit without memory changed something");
  }
  rs_fit fit = kWindows.fit(true);
  while (!fit.done) CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &fit));
  CHECK(test::parameters_of(trainer) == expected.parameters, "the training after it has other bits");

  rs_trainer* none = nullptr;
  simt::machine().memory = 1000;
  rs_trainer_options options = {};
  options.sizes = kWindows.sizes.data();
  options.size_count = static_cast<int32_t>(kWindows.sizes.size());
  options.optimizer = kWindows.optimizer;
  options.engine = RS_ENGINE_CUDA;
  CHECK(rs_trainer_create(&options, &none) == RS_CUDA_OUT_OF_MEMORY && !none, "%s", rs_last_error());
}

// After an illegal access nothing of the device works, every call says so, and what uses it can still be freed.
void lost_device() {
  const Trainer trainer = kWindows.trainer();
  const Dataset data = kWindows.data();
  rs_fit fit = kWindows.fit(false);
  simt::machine().fail("cudaEventQuery", cudaErrorIllegalAddress, 20);
  CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_CUDA_FATAL, "%s", rs_last_error());
  require_message("cudaErrorIllegalAddress");
  require_message("restart the process");
  std::vector<float> parameters(static_cast<size_t>(rs_trainer_parameter_count(trainer.get())));
  CHECK(rs_trainer_get_parameters(trainer.get(), parameters.data(), static_cast<int64_t>(parameters.size())) == RS_CUDA_FATAL,
        "%s", rs_last_error());
  require_message("was lost before");
}

// A device that does nothing any more is given up after RINGSTEP_CUDA_TIMEOUT.
void hanging_device(const Work& work) {
  const Trainer trainer = work.trainer();
  const Dataset data = work.data();
  rs_fit warm_up = work.fit(false);
  CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &warm_up));
  simt::machine().hangs = true;
  rs_fit fit = work.fit(false);
  CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_CUDA_FATAL, "%s", rs_last_error());
  require_message("did not end within");
  require_message("RINGSTEP_CUDA_TIMEOUT");
}

void no_device() {
  simt::machine().devices = 0;
  CHECK(std::strstr(rs_cuda_unavailable(), "no CUDA device"), "%s", rs_cuda_unavailable());
  CHECK(rs_cuda_device_count() == 0, "%d devices", rs_cuda_device_count());
  CHECK(std::strstr(rs_cuda_device_description(0), "no CUDA device"), "%s", rs_cuda_device_description(0));
  rs_trainer* none = nullptr;
  rs_trainer_options options = {};
  options.sizes = kWindows.sizes.data();
  options.size_count = static_cast<int32_t>(kWindows.sizes.size());
  options.engine = RS_ENGINE_CUDA;
  CHECK(rs_trainer_create(&options, &none) == RS_CUDA && !none, "%s", rs_last_error());
  simt::machine().devices = 2;
  options.device = 2;
  CHECK(rs_trainer_create(&options, &none) == RS_CUDA && !none, "%s", rs_last_error());
  require_message("there is no cuda:2; this machine has cuda:0 to cuda:1");
}

// An error that passes leaves the trainer usable.
void passing_error() {
  const Trainer trainer = kWindows.trainer();
  const Dataset data = kWindows.data();
  rs_fit fit = kWindows.fit(false);
  simt::machine().fail("cudaMemcpyAsync", cudaErrorInvalidValue);
  CHECK(rs_trainer_fit(trainer.get(), data.get(), &fit) == RS_CUDA, "%s", rs_last_error());
  require_message("cuda:0: copying to the device failed: cudaErrorInvalidValue");
  rs_fit again = kWindows.fit(true);
  while (!again.done) CHECK_OK(rs_trainer_fit(trainer.get(), data.get(), &again));
  CHECK(test::parameters_of(trainer) == test::train(kWindows, true).parameters, "the training after it has other bits");
}

// All that users are shown by `ringstep smoke`.
void checks() {
  char detail[512];
  for (int32_t check = 0; check < rs_cuda_check_count(); ++check) {
    const int32_t result = rs_cuda_check(check, 0, detail, sizeof detail);
    CHECK(result == 0 || (result == 2 && std::strstr(rs_cuda_check_name(check), "tf32")), "%s: %s", rs_cuda_check_name(check),
          detail);
    printf("%s: %s\n", rs_cuda_check_name(check), detail);
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::string fault = argument_count > 1 ? arguments[1] : "";
  test::register_cuda();
  if (fault == "non-finite") {
    for (const Work& work : {kPersistent, kWindows, kEpochs}) non_finite(work);
  } else if (fault == "out-of-memory") {
    out_of_memory();
  } else if (fault == "lost-device") {
    lost_device();
    return 0;  // nothing of it can be freed
  } else if (fault == "hanging-device") {
    hanging_device(kWindows);
    return 0;
  } else if (fault == "hanging-kernel") {
    hanging_device(kPersistent);
    return 0;
  } else if (fault == "no-device") {
    no_device();
  } else if (fault == "passing-error") {
    passing_error();
  } else if (fault == "checks") {
    checks();
  } else {
    CHECK(false, "no fault is called '%s'", fault.c_str());
  }
  CHECK(simt::machine().allocations == 0, "%lld allocations are left", static_cast<long long>(simt::machine().allocations));
  return 0;
}
