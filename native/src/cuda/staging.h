// Copies of ordinary host memory to and from a device. The device copies only pinned memory by itself, so the data
// passes through two pinned buffers: while the device empties or fills one, the processor works on the other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/memory.h"
#include "cuda/stream.h"

namespace rs::cuda {

class Staging {
 public:
  explicit Staging(int device)
      : device_(device),
        buffers_{{device, kFloats, "pinned memory for copies"}, {device, kFloats, "pinned memory for copies"}},
        free_{Event(device), Event(device)} {}

  // Enqueues copies of `count` floats to device memory. `from` may be changed once this returns.
  void copy(float* to, const float* from, int64_t count, cudaStream_t stream) {
    for (int64_t done = 0; done < count; done += kFloats) {
      const int64_t part = std::min(kFloats, count - done);
      const int i = next();
      std::memcpy(buffers_[i].get(), from + done, static_cast<size_t>(part) * sizeof(float));
      check(cudaMemcpyAsync(to + done, buffers_[i].get(), static_cast<size_t>(part) * sizeof(float), cudaMemcpyHostToDevice,
                            stream),
            "copying to the device", device_);
      free_[i].record(stream);
    }
  }

  // Copies `count` floats from device memory; they are there when this returns.
  void copy_back(float* to, const float* from, int64_t count, cudaStream_t stream) {
    int64_t fetched = 0, done = 0;
    int ahead = next();
    fetch(ahead, from, count, &fetched, stream);
    while (done < count) {
      const int i = ahead;
      const int64_t part = std::min(kFloats, count - done);
      if (fetched < count) {
        ahead = next();
        fetch(ahead, from, count, &fetched, stream);
      }
      free_[i].wait("copying from the device");
      std::memcpy(to + done, buffers_[i].get(), static_cast<size_t>(part) * sizeof(float));
      done += part;
    }
  }

 private:
  static constexpr int64_t kFloats = 1 << 19;  // 2 MiB: as fast as larger ones

  // The buffer whose turn it is, once the device is done with it.
  int next() {
    turn_ ^= 1;
    free_[turn_].wait("copying");
    return turn_;
  }

  void fetch(int i, const float* from, int64_t count, int64_t* fetched, cudaStream_t stream) {
    const int64_t part = std::min(kFloats, count - *fetched);
    check(cudaMemcpyAsync(buffers_[i].get(), from + *fetched, static_cast<size_t>(part) * sizeof(float),
                          cudaMemcpyDeviceToHost, stream),
          "copying from the device", device_);
    free_[i].record(stream);
    *fetched += part;
  }

  const int device_;
  PinnedArray<float> buffers_[2];
  Event free_[2];
  int turn_ = 0;
};

}  // namespace rs::cuda
