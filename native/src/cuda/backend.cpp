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
#include "cuda/nccl_staging.h"
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

rs::collective::Communicator* create_nccl(const rs::collective::NcclId& id, int32_t device, int rank, int size,
                                          rs::collective::Deadline deadline) {
  rs::cuda::Device& own = rs::cuda::Device::get(device);
  const rs::cuda::DeviceScope scope(own.ordinal());
  auto staging = std::make_unique<rs::cuda::NcclStaging>(own);
  return new rs::collective::Nccl(std::move(staging), id, rank, size, deadline);
}

constexpr rs::Backend kBackend = {RS_ABI_VERSION, RINGSTEP_VERSION, RS_ENGINE_CUDA, create, create_ensemble, create_nccl};

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

// As nvidia-smi writes it.
std::string uuid_of(int32_t device) {
  rs::cuda::Device::get(device);  // throws where it cannot be used
  cudaDeviceProp properties;
  rs::cuda::check(cudaGetDeviceProperties(&properties, device), "asking for its properties", device);
  std::string text = "GPU";
  for (int i = 0; i < 16; ++i) {
    char byte[4];
    const bool starts_group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    std::snprintf(byte, sizeof byte, "%s%02x", starts_group ? "-" : "", static_cast<unsigned char>(properties.uuid.bytes[i]));
    text += byte;
  }
  return text;
}

int peer_attribute(cudaDeviceP2PAttr attribute, int32_t device, int32_t peer) {
  int value = 0;
  rs::cuda::check(cudaDeviceGetP2PAttribute(&value, attribute, device, peer), "asking how it reaches another GPU", device);
  return value;
}

// CUDA tells no links by name; but native atomics need more than PCIe has.
std::string describe_peer(int32_t device, int32_t peer) {
  int direct = 0;
  rs::cuda::check(cudaDeviceCanAccessPeer(&direct, device, peer), "asking how it reaches another GPU", device);
  if (!direct) return "by way of the host";
  const bool atomics = peer_attribute(cudaDevP2PAttrNativeAtomicSupported, device, peer) != 0;
  return std::string("directly, ") + (atomics ? "with atomics, as over NVLink" : "without atomics, as over PCIe") +
         ", performance rank " + std::to_string(peer_attribute(cudaDevP2PAttrPerformanceRank, device, peer));
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

const char* rs_cuda_device_uuid(int32_t device) {
  try {
    return keep(uuid_of(device));
  } catch (const std::exception&) {
    return "";
  }
}

const char* rs_cuda_peer_description(int32_t device, int32_t peer) {
  try {
    return keep(describe_peer(device, peer));
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
