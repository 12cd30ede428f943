// What the CUDA engine's library offers: itself, and what it knows of the machine.
#include <cuda_runtime.h>

#include <cstdio>
#include <memory>
#include <string>

#include "backend.h"
#include "cuda/cuda_ensemble.h"
#include "cuda/cuda_trainer.h"
#include "cuda/device.h"
#include "cuda/error.h"
#include "device_error.h"
#include "ringstep_cuda.h"

namespace {

thread_local std::string text;

const char* keep(std::string value) {
  text = std::move(value);
  return text.c_str();
}

rs_trainer* create(rs::Network network, const rs_trainer_options& options) {
  rs::cuda::Device& device = rs::cuda::Device::get(options.device);
  const rs::cuda::DeviceScope scope(device.ordinal());
  if (options.precision == RS_TF32 && !device.has_tf32()) {
    throw rs::DeviceError(RS_CUDA, "cuda:" + std::to_string(options.device) +
                                       ": TF32 needs a GPU of compute capability 8.0; use float32");
  }
  return new rs::cuda::Trainer(std::move(network), options, device);
}

rs_ensemble* create_ensemble(rs::Network network, const rs_ensemble_options& options) {
  rs::cuda::Device& device = rs::cuda::Device::get(options.model.device);
  const rs::cuda::DeviceScope scope(device.ordinal());
  return new rs::cuda::Ensemble(std::move(network), options, device);
}

constexpr rs::Backend kBackend = {RS_ABI_VERSION, RINGSTEP_VERSION, RS_ENGINE_CUDA, create, create_ensemble};

std::string describe(int32_t device) {
  rs::cuda::Device::get(device);  // throws where it cannot be used
  const rs::cuda::DeviceScope scope(device);
  cudaDeviceProp properties;
  size_t available = 0, total = 0;
  rs::cuda::check(cudaGetDeviceProperties(&properties, device), "asking for its properties", device);
  rs::cuda::check(cudaMemGetInfo(&available, &total), "asking for its memory", device);
  constexpr double kGibibyte = 1 << 30;
  char line[512];
  std::snprintf(line, sizeof line, "%s, compute capability %d.%d, %d multiprocessors, %.1f of %.1f GiB free", properties.name,
                properties.major, properties.minor, properties.multiProcessorCount,
                static_cast<double>(available) / kGibibyte, static_cast<double>(total) / kGibibyte);
  return line;
}

}  // namespace

const void* rs_cuda_backend(void) { return &kBackend; }

const char* rs_cuda_unavailable(void) { return keep(rs::cuda::unavailable()); }

int32_t rs_cuda_device_count(void) { return rs::cuda::device_count(); }

const char* rs_cuda_device_description(int32_t device) {
  try {
    return keep(describe(device));
  } catch (const std::exception& e) {
    return keep(e.what());
  }
}

int32_t rs_cuda_driver_version(void) {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int32_t rs_cuda_runtime_version(void) {
  int version = 0;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? version : 0;
}
