// A queue of work on one device, and points in it that can be waited for. No wait is without a deadline.
#pragma once

#include <cuda_runtime.h>

#include <chrono>

namespace rs::cuda {

// How long a device may take over one wait before it is given up: 120 s, or what the environment variable
// RINGSTEP_CUDA_TIMEOUT says in seconds.
std::chrono::duration<double> patience();

// One wait. Short ones spin, since to sleep and wake takes longer than most of them; long ones leave the processor.
class Patience {
 public:
  explicit Patience(int device) : device_(device) {}

  // Throws a DeviceError at the deadline: the device hangs, so that nothing of it can be used any more.
  void endure(const char* operation) const;

 private:
  const int device_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Event {
 public:
  explicit Event(int device);
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream);
  bool is_done(const char* operation) const;

  // Until all work recorded before it is done, or the deadline.
  // `meanwhile` is called again and again.
  template <typename Meanwhile>
  void wait(const char* operation, Meanwhile meanwhile) const {
    for (Patience patience(device_); !is_done(operation); patience.endure(operation)) meanwhile();
  }
  void wait(const char* operation) const {
    wait(operation, [] {});
  }

 private:
  const int device_;
  cudaEvent_t event_ = nullptr;
};

class Stream {
 public:
  explicit Stream(int device);
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  operator cudaStream_t() const { return stream_; }

  // After launches, which return nothing: throws what they left behind.
  void check_launches(const char* operation) const;

  // Until the stream is empty; as Event::wait.
  void wait(const char* operation);

 private:
  const int device_;
  cudaStream_t stream_ = nullptr;
  Event empty_;
};

}  // namespace rs::cuda
