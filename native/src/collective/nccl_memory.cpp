// In this order: allocate, register; deregister, end the communicator, free. To free memory that is registered, or to
// deregister with a communicator that was aborted, is an error that NCCL need not notice.
#include "collective/nccl_memory.h"

#include <algorithm>

namespace rs::collective {
namespace {

constexpr int kSymmetric = 1;  // NCCL_WIN_COLL_SYMMETRIC: at the same place on all ranks

}  // namespace

NcclMemory::NcclMemory(Nccl& nccl, int64_t bytes) : maker_(nccl), bytes_(bytes) {
  if (library_.mem_alloc(&memory_, static_cast<size_t>(bytes)) != kNcclSuccess) memory_ = nullptr;
}

NcclMemory::~NcclMemory() {
  end_window();
  if (memory_) library_.mem_free(memory_);
}

bool NcclMemory::make_window() {
  const NcclResult result =
      library_.comm_window_register(maker_.comm_, memory_, static_cast<size_t>(bytes_), &window_, kSymmetric);
  if (result != kNcclSuccess && result != kNcclInProgress) return false;
  maker_.wait_for("ncclCommWindowRegister", [&] { return maker_.state() == kNcclSuccess; });
  nccl_ = &maker_;
  maker_.windows_.push_back(this);
  // NCCL makes none, and says nothing, where GPUs cannot reach each other's memory.
  return window_ != nullptr;
}

void NcclMemory::end_window() {
  if (!nccl_) return;
  if (window_ && nccl_->comm_) library_.comm_window_deregister(nccl_->comm_, window_);
  auto& all = nccl_->windows_;
  all.erase(std::remove(all.begin(), all.end(), this), all.end());
  window_ = nullptr;
  nccl_ = nullptr;
}

}  // namespace rs::collective
