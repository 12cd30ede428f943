// An array between two pages that nobody may touch. It ends where the second begins, so one float too
// far is a crash; what is left before it holds a pattern that must stay.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "check.h"

namespace test {

class GuardedArray {
 public:
  // Full of NaN.
  explicit GuardedArray(int64_t count) : count_(count), page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(float);
    inside_ = (bytes / page_ + 1) * page_;  // at least one byte before the array
    map_ = static_cast<char*>(mmap(nullptr, inside_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(map_ != MAP_FAILED, "%zu bytes", inside_);
    CHECK(mprotect(inside(), inside_, PROT_READ | PROT_WRITE) == 0, "%zu bytes", inside_);
    data_ = reinterpret_cast<float*>(inside() + inside_ - bytes);
    std::memset(inside(), kPattern, before());
    std::memset(data_, 0xFF, bytes);
  }

  GuardedArray(const float* values, int64_t count) : GuardedArray(count) { std::copy_n(values, count, data_); }

  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;

  ~GuardedArray() {
    for (size_t i = 0; i < before(); ++i) CHECK(inside()[i] == kPattern, "%zu bytes before an array", before() - i);
    munmap(map_, inside_ + 2 * page_);
  }

  float* get() const { return data_; }
  int64_t size() const { return count_; }
  float& operator[](int64_t i) const { return data_[i]; }

 private:
  static constexpr char kPattern = 0x5A;

  char* inside() const { return map_ + page_; }
  size_t before() const { return static_cast<size_t>(reinterpret_cast<char*>(data_) - inside()); }

  int64_t count_;
  size_t page_;
  size_t inside_;  // bytes between the two pages
  char* map_;
  float* data_;
};

}  // namespace test
