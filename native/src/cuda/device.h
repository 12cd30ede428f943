// The GPUs of this machine.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>

namespace rs::cuda {

// Makes a device the calling thread's until it goes out of scope. Throws a DeviceError if it was lost.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
};

// One GPU. Lives as long as the process; safe for any thread.
class Device {
 public:
  // Throws a DeviceError where there is no such device.
  static Device& get(int ordinal);

  int ordinal() const { return ordinal_; }
  int multiprocessors() const { return multiprocessors_; }
  bool has_tf32() const { return compute_major_ >= 8; }

  // Memory in the order of `stream`. Where it runs out, what the pool holds back is given up first. Throws a
  // DeviceError that says how much was asked for and how much there is.
  void* allocate(int64_t bytes, const char* what, cudaStream_t stream);
  void free(void* memory, cudaStream_t stream) noexcept;

 private:
  explicit Device(int ordinal);
  [[noreturn]] void fail_allocation(int64_t bytes, const char* what) const;

  const int ordinal_;
  int multiprocessors_ = 1;
  int compute_major_ = 0;
  cudaMemPool_t pool_ = nullptr;  // ours alone, so that other users' settings stay as they are
};

// Why no device can be used: "" where one can.
std::string unavailable();

// 0 where none can be used.
int device_count();

}  // namespace rs::cuda
