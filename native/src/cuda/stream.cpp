#include "cuda/stream.h"

#include <cstdlib>
#include <string>
#include <thread>

#include "cuda/error.h"
#include "device_error.h"

namespace rs::cuda {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// Short waits spin, since to sleep and wake takes longer than most of them; long ones leave the processor.
constexpr microseconds kSpin{200};
constexpr microseconds kNap{50};

[[noreturn]] void give_up(const char* operation, int device, double seconds) {
  throw DeviceError(RS_CUDA_FATAL, "cuda:" + std::to_string(device) + ": " + operation + " did not end within " +
                                       std::to_string(static_cast<long>(seconds)) +
                                       " s; the GPU hangs or is overloaded: look at nvidia-smi and the kernel's log, and "
                                       "restart the process (RINGSTEP_CUDA_TIMEOUT sets the limit in seconds)");
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

void Event::wait(const char* operation) const {
  const Clock::time_point start = Clock::now();
  while (!is_done(operation)) {
    const auto waited = Clock::now() - start;
    if (waited > patience()) give_up(operation, device_, patience().count());
    if (waited > kSpin) std::this_thread::sleep_for(kNap);
  }
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
