// Memory with one owner: a device's, and the host's that a device can copy from and to by itself.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "cuda/device.h"
#include "cuda/error.h"

namespace rs::cuda {

// An array on a device, allocated and freed in the order of a stream, which must outlive it. Not initialised.
template <typename T>
class DeviceArray {
  static_assert(std::is_trivially_copyable<T>::value, "copied as bytes");

 public:
  DeviceArray() = default;
  DeviceArray(Device& device, int64_t count, const char* what, cudaStream_t stream)
      : device_(&device), stream_(stream), count_(count) {
    int64_t bytes;
    if (__builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes)) throw std::bad_alloc();
    data_ = static_cast<T*>(device.allocate(bytes == 0 ? sizeof(T) : bytes, what, stream));
  }
  ~DeviceArray() {
    if (device_) device_->free(data_, stream_);
  }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    DeviceArray(std::move(other)).swap(*this);
    return *this;
  }

  T* get() const { return data_; }
  int64_t count() const { return count_; }

  // Makes room for `count` values. True if that took new memory: then what it held is lost. Where there is none, it
  // is as it was.
  bool reserve(Device& device, int64_t count, const char* what, cudaStream_t stream) {
    if (count <= count_) return false;
    *this = DeviceArray(device, count, what, stream);
    return true;
  }

  void clear() {
    check(cudaMemsetAsync(data_, 0, static_cast<size_t>(count_) * sizeof(T), stream_), "clearing memory",
          device_->ordinal());
  }

  // From or to pinned memory these return at once, from or to other memory when the copy is made.
  void copy_from(const T* host, int64_t count) {
    check(cudaMemcpyAsync(data_, host, static_cast<size_t>(count) * sizeof(T), cudaMemcpyHostToDevice, stream_),
          "copying to the device", device_->ordinal());
  }
  void copy_to(T* host, int64_t count) const {
    check(cudaMemcpyAsync(host, data_, static_cast<size_t>(count) * sizeof(T), cudaMemcpyDeviceToHost, stream_),
          "copying from the device", device_->ordinal());
  }

 private:
  void swap(DeviceArray& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
  }

  Device* device_ = nullptr;
  cudaStream_t stream_ = nullptr;
  T* data_ = nullptr;
  int64_t count_ = 0;
};

// An array of the host's that stays where it is, so that copies need no help of the processor, and that kernels
// may read and write in place.
template <typename T>
class PinnedArray {
  static_assert(std::is_trivially_copyable<T>::value, "copied as bytes");

 public:
  PinnedArray(int device, int64_t count, const char* what) : device_(device), count_(count) {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, static_cast<size_t>(count) * sizeof(T), cudaHostAllocDefault), what, device);
    std::memset(memory, 0, static_cast<size_t>(count) * sizeof(T));
    data_ = static_cast<T*>(memory);
  }
  ~PinnedArray() {
    if (!is_lost(device_)) cudaFreeHost(data_);
  }
  PinnedArray(const PinnedArray&) = delete;
  PinnedArray& operator=(const PinnedArray&) = delete;

  T* get() const { return data_; }
  int64_t count() const { return count_; }
  T& operator[](int64_t i) const { return data_[i]; }

 private:
  const int device_;
  T* data_ = nullptr;
  int64_t count_;
};

}  // namespace rs::cuda
