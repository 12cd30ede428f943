// Memory on a GPU that NCCL allocated, in a window of a communicator: made by Nccl::window.
#pragma once

#include <cstdint>

#include "collective/nccl.h"

namespace rs::collective {

class NcclMemory {
 public:
  // get() is null where there is no such memory.
  NcclMemory(Nccl& nccl, int64_t bytes);
  // Nothing on any stream may use it any more.
  ~NcclMemory();
  NcclMemory(const NcclMemory&) = delete;
  NcclMemory& operator=(const NcclMemory&) = delete;

  void* get() const { return memory_; }

 private:
  friend class Nccl;

  // All ranks at once. False where it cannot be.
  bool make_window();

  // Before the communicator ends, or once it was aborted, when NCCL has forgotten it already.
  void end_window();

  const NcclLibrary& library_ = nccl_library();
  Nccl* nccl_ = nullptr;  // while it holds the window
  Nccl& maker_;
  const int64_t bytes_;
  void* memory_ = nullptr;
  NcclWindow window_ = nullptr;
};

}  // namespace rs::collective
