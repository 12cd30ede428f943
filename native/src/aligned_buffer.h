// An array of floats at a multiple of 64 bytes: whole cache lines and vectors. A view may begin anywhere.
#pragma once

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace rs {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  // Zeroed. Throws std::bad_alloc.
  explicit AlignedBuffer(int64_t count) : count_(count) {
    constexpr uint64_t kMost = uint64_t{1} << 46;
    if (count < 0 || static_cast<uint64_t>(count) > kMost / sizeof(float)) throw std::bad_alloc();
    const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + 63) / 64 * 64;
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes == 0 ? 64 : bytes)));
    if (!data_) throw std::bad_alloc();
    ask_for_large_pages(data_.get(), bytes);
    std::memset(data_.get(), 0, bytes);
  }

  // A view of floats that somebody else owns.
  static AlignedBuffer view(float* data, int64_t count) {
    AlignedBuffer buffer;
    buffer.data_ = std::unique_ptr<float, Free>(data, Free(false));
    buffer.count_ = count;
    return buffer;
  }

  // Makes room for `count` floats; what they hold is lost if that takes new memory.
  void reserve(int64_t count) {
    if (count > count_) *this = AlignedBuffer(count);
  }

  void clear() {
    if (count_ > 0) std::memset(data_.get(), 0, static_cast<size_t>(count_) * sizeof(float));
  }

  float* get() { return data_.get(); }
  const float* get() const { return data_.get(); }

 private:
  // Rows in a random order, and many models' in turn, are otherwise as slow to find as to read. A wish: where it is not granted
  // nothing changes.
  static void ask_for_large_pages(void* memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    constexpr uintptr_t kLargePage = uintptr_t{1} << 21;
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kLargePage - 1) / kLargePage * kLargePage;
    const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / kLargePage * kLargePage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
    static_cast<void>(memory);
    static_cast<void>(bytes);
#endif
  }

  struct Free {
    bool owned;
    Free() : owned(true) {}
    explicit Free(bool owned) : owned(owned) {}
    void operator()(float* p) const {
      if (owned) std::free(p);
    }
  };

  std::unique_ptr<float, Free> data_;
  int64_t count_ = 0;
};

}  // namespace rs
