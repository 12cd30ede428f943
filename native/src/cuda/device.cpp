#include "cuda/device.h"

#include <memory>
#include <mutex>
#include <vector>

#include "cuda/error.h"
#include "device_error.h"

namespace rs::cuda {
namespace {

// What a pool keeps for the next allocation: to get memory from the driver takes as long as many steps.
constexpr uint64_t kKept = uint64_t{256} << 20;

std::string mebibytes(uint64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

DeviceScope::DeviceScope(int device) {
  if (is_lost(device)) throw DeviceError(RS_CUDA_FATAL, "the GPU was lost before: " + why_lost(device));
  check(cudaGetDevice(&before_), "finding the current device", device);
  if (before_ == device) return;
  check(cudaSetDevice(device), "selecting the device", device);
}

DeviceScope::~DeviceScope() { cudaSetDevice(before_); }

Device& Device::get(int ordinal) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Device>> devices;
  const std::lock_guard<std::mutex> lock(mutex);
  const std::string reason = unavailable();
  if (!reason.empty()) throw DeviceError(RS_CUDA, reason);
  const int count = device_count();
  if (ordinal < 0 || ordinal >= count) {
    throw DeviceError(RS_CUDA, "there is no cuda:" + std::to_string(ordinal) + "; this machine has " +
                                   (count == 1 ? "cuda:0 alone" : "cuda:0 to cuda:" + std::to_string(count - 1)));
  }
  if (devices.size() < static_cast<size_t>(count)) devices.resize(static_cast<size_t>(count));
  std::unique_ptr<Device>& device = devices[static_cast<size_t>(ordinal)];
  if (!device) device.reset(new Device(ordinal));
  return *device;
}

Device::Device(int ordinal) : ordinal_(ordinal) {
  DeviceScope scope(ordinal);
  // The first use of a device makes its context, which is where a broken or busy one shows.
  check(cudaFree(nullptr), "starting the device", ordinal);
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, ordinal), "asking for its size", ordinal);
  check(cudaDeviceGetAttribute(&compute_major_, cudaDevAttrComputeCapabilityMajor, ordinal), "asking for its capability",
        ordinal);
  int has_pools = 0;
  check(cudaDeviceGetAttribute(&has_pools, cudaDevAttrMemoryPoolsSupported, ordinal), "asking for memory pools", ordinal);
  if (!has_pools) return;
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, ordinal};
  check(cudaMemPoolCreate(&pool_, &properties), "creating a memory pool", ordinal);
  uint64_t kept = kKept;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &kept), "setting up a memory pool", ordinal);
}

void* Device::allocate(int64_t bytes, const char* what, cudaStream_t stream) {
  void* memory = nullptr;
  const auto attempt = [&] {
    const size_t size = static_cast<size_t>(bytes);
    return pool_ ? cudaMallocFromPoolAsync(&memory, size, pool_, stream) : cudaMalloc(&memory, size);
  };
  cudaError_t code = attempt();
  if (code == cudaErrorMemoryAllocation && pool_) {
    cudaGetLastError();
    cudaMemPoolTrimTo(pool_, 0);
    code = attempt();
  }
  if (code == cudaErrorMemoryAllocation) fail_allocation(bytes, what);
  check(code, what, ordinal_);
  return memory;
}

void Device::fail_allocation(int64_t bytes, const char* what) const {
  cudaGetLastError();
  size_t available = 0, total = 0;
  cudaMemGetInfo(&available, &total);
  throw DeviceError(RS_CUDA_OUT_OF_MEMORY,
                    "cuda:" + std::to_string(ordinal_) + " is out of memory: " + what + " needs " +
                        mebibytes(static_cast<uint64_t>(bytes)) + ", of " + mebibytes(total) + " there are " +
                        mebibytes(available) + " free (cudaErrorMemoryAllocation); use a smaller batch, network or dataset");
}

void Device::free(void* memory, cudaStream_t stream) noexcept {
  if (!memory || is_lost(ordinal_)) return;  // to free from a device that hangs would hang
  pool_ ? cudaFreeAsync(memory, stream) : cudaFree(memory);
}

std::string unavailable() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (code == cudaSuccess && count > 0) return "";
  if (code == cudaSuccess || code == cudaErrorNoDevice) {
    return "no CUDA device; check that nvidia-smi lists a GPU and that CUDA_VISIBLE_DEVICES names one";
  }
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) return "no CUDA driver (libcuda.so.1 is not installed)";
  if (code == cudaErrorInsufficientDriver) {
    return "the CUDA driver is too old: it is for CUDA " + std::to_string(driver / 1000) + "." +
           std::to_string(driver % 1000 / 10) + ", this build needs CUDA " + std::to_string(CUDART_VERSION / 1000);
  }
  return std::string("no CUDA device can be used: ") + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) + ")";
}

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace rs::cuda
