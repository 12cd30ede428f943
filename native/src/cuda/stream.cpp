#include "cuda/stream.h"

#include <cstdlib>
#include <string>
#include <thread>

#include "cuda/error.h"
#include "device_error.h"

namespace rs::cuda {
namespace {

using std::chrono::microseconds;

constexpr microseconds kSpin{200};
constexpr microseconds kNap{50};

[[noreturn]] void give_up(const char* operation, int device, double seconds) {
  const std::string text = "cuda:" + std::to_string(device) + ": " + operation + " did not end within " +
                           std::to_string(seconds).substr(0, 5) + " s; the GPU hangs or is overloaded: look at nvidia-smi and the kernel's log, and restart the "
                           "process (RINGSTEP_CUDA_TIMEOUT sets the limit in seconds)";
  lose(device, text);
  throw DeviceError(RS_CUDA_FATAL, text);
}

}  // namespace

std::chrono::duration<double> patience() {
  static const double seconds = [] {
    const char* text = std::getenv("RINGSTEP_CUDA_TIMEOUT");
    const double value = text ? std::strtod(text, nullptr) : 0;
    return value > 0 ? value : 120.0;
  }();
  return std::chrono::duration<double>(seconds);
}

void Patience::endure(const char* operation) const {
  const auto waited = std::chrono::steady_clock::now() - start_;
  if (waited > patience()) give_up(operation, device_, patience().count());
  if (waited > kSpin) std::this_thread::sleep_for(kNap);
}

Event::Event(int device) : device_(device) {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "creating an event", device_);
}

void Event::record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event", device_); }

bool Event::is_done(const char* operation) const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check(code, operation, device_);
  return true;
}

Stream::Stream(int device) : device_(device), empty_(device) {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream", device_);
}

void Stream::check_launches(const char* operation) const { check(cudaGetLastError(), operation, device_); }

void Stream::wait(const char* operation) {
  empty_.record(stream_);
  empty_.wait(operation);
}

}  // namespace rs::cuda
