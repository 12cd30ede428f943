// An array as cudaMalloc gives it: at a multiple of 256 bytes. It comes poisoned, and what lies behind it must
// stay as it is: AddressSanitizer sees to that, and in other builds a pattern does.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#endif

namespace test {

template <typename T>
class DeviceArray {
 public:
  // Every byte is 0xFF: floats are NaN, integers -1.
  explicit DeviceArray(int64_t count) : count_(count), bytes_(static_cast<size_t>(count) * sizeof(T)) {
    all_bytes_ = (bytes_ + kBehind + 255) / 256 * 256;
    memory_ = static_cast<unsigned char*>(std::aligned_alloc(256, all_bytes_));
    std::memset(memory_, 0xFF, bytes_);
    std::memset(memory_ + bytes_, kPattern, all_bytes_ - bytes_);
    ASAN_POISON_MEMORY_REGION(memory_ + bytes_, all_bytes_ - bytes_);
  }

  DeviceArray(const T* values, int64_t count) : DeviceArray(count) {
    if (count > 0) std::memcpy(memory_, values, bytes_);
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.data(), static_cast<int64_t>(values.size())) {}

  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  ~DeviceArray() {
    ASAN_UNPOISON_MEMORY_REGION(memory_ + bytes_, all_bytes_ - bytes_);
    for (size_t i = bytes_; i < all_bytes_; ++i) CHECK(memory_[i] == kPattern, "byte %zu behind an array", i - bytes_);
    std::free(memory_);
  }

  T* get() const { return reinterpret_cast<T*>(memory_); }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) const { return get()[i]; }
  std::vector<T> values() const { return std::vector<T>(get(), get() + count_); }

 private:
  static constexpr unsigned char kPattern = 0x5A;
  static constexpr size_t kBehind = 64;

  int64_t count_;
  size_t bytes_, all_bytes_;
  unsigned char* memory_;
};

using Floats = DeviceArray<float>;

}  // namespace test
