// Memory and a stream on one GPU for NCCL's sums of what lies in the host's memory: small ones, such as whether to stop.
// A train step's own sums are on its own stream, in its own memory: ranks.cpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

#include "collective/nccl.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/stream.h"

namespace rs::cuda {

class NcclStaging final : public collective::Staging {
 public:
  // The device must be the calling thread's.
  explicit NcclStaging(Device& device) : device_(device), stream_(device.ordinal()), done_(device.ordinal()) {}

  void use() override { check(cudaSetDevice(device_.ordinal()), "selecting the device", device_.ordinal()); }
  collective::NcclStream stream() override { return static_cast<cudaStream_t>(stream_); }

  void* memory(int64_t bytes) override {
    memory_.reserve(device_, bytes, "the values of a sum", stream_);
    return memory_.get();
  }

  void copy_in(void* memory, const void* bytes, int64_t count) override {
    check(cudaMemcpyAsync(memory, bytes, static_cast<size_t>(count), cudaMemcpyHostToDevice, stream_), "copying to the device",
          device_.ordinal());
  }

  // Into pinned memory first: a copy into other memory would wait for the sum, without a deadline.
  void copy_out(void* bytes, const void* memory, int64_t count) override {
    if (!pinned_ || pinned_->count() < count) {
      pinned_ = std::make_unique<PinnedArray<char>>(device_.ordinal(), count, "pinned memory for a sum");
    }
    check(cudaMemcpyAsync(pinned_->get(), memory, static_cast<size_t>(count), cudaMemcpyDeviceToHost, stream_),
          "copying from the device", device_.ordinal());
    done_.record(stream_);
    to_ = bytes;
    count_ = count;
  }

  bool is_done() override {
    if (!done_.is_done("a sum")) return false;
    if (to_) std::memcpy(to_, pinned_->get(), static_cast<size_t>(count_));
    to_ = nullptr;
    return true;
  }

 private:
  Device& device_;
  Stream stream_;
  Event done_;
  DeviceArray<char> memory_;
  std::unique_ptr<PinnedArray<char>> pinned_;
  void* to_ = nullptr;  // where the latest copy_out shall end
  int64_t count_ = 0;
};

}  // namespace rs::cuda
