#include "cuda/error.h"

#include <array>
#include <atomic>
#include <mutex>

#include "device_error.h"

namespace rs::cuda {
namespace {

// What to do about it; "" where nothing better is known than the code's own text.
const char* remedy(cudaError_t code) {
  switch (code) {
    case cudaErrorInsufficientDriver:
      return "; install or update the NVIDIA driver: this build needs one for CUDA 13 (580 or later)";
    case cudaErrorNoDevice:
      return "; check that nvidia-smi lists a GPU and that CUDA_VISIBLE_DEVICES names one";
    case cudaErrorNoKernelImageForDevice:
      return "; this build has no code for a GPU this old: compute capability 7.5 is the least";
    case cudaErrorMemoryAllocation:
      return "; use a smaller batch, network or dataset, or another device";
    case cudaErrorDevicesUnavailable:
      return "; another process holds the GPU in exclusive mode";
    default:
      return is_fatal(code) ? "; the GPU's context is lost: restart the process" : "";
  }
}

// CUDA numbers far fewer devices.
constexpr size_t kMostDevices = 1024;
std::array<std::atomic<bool>, kMostDevices> lost{};
std::array<std::string, kMostDevices> reasons;
std::mutex reasons_lock;

}  // namespace

void lose(int device, const std::string& why) {
  const std::lock_guard<std::mutex> guard(reasons_lock);
  std::string& reason = reasons[static_cast<size_t>(device)];
  if (reason.empty()) reason = why;
  lost[static_cast<size_t>(device)] = true;
}

std::string why_lost(int device) {
  const std::lock_guard<std::mutex> guard(reasons_lock);
  return reasons[static_cast<size_t>(device)];
}

bool is_lost(int device) noexcept { return lost[static_cast<size_t>(device)]; }

bool is_fatal(cudaError_t code) {
  switch (code) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

std::string describe(cudaError_t code, const char* operation, int device) {
  return "cuda:" + std::to_string(device) + ": " + operation + " failed: " + cudaGetErrorName(code) + " (" +
         cudaGetErrorString(code) + ")" + remedy(code);
}

void check(cudaError_t code, const char* operation, int device) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // an error that is not fatal is not seen twice
  const rs_status status = is_fatal(code) ? RS_CUDA_FATAL
                           : code == cudaErrorMemoryAllocation ? RS_CUDA_OUT_OF_MEMORY
                                                               : RS_CUDA;
  const std::string text = describe(code, operation, device);
  if (status == RS_CUDA_FATAL) lose(device, text);
  throw DeviceError(status, text);
}

}  // namespace rs::cuda
