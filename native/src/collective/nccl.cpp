// NCCL waits for ever for a rank that is gone, unless the communicator is non-blocking: then every call returns at
// once and its end must be asked for. That, and the stream's end, are asked for until the deadline; then the
// communicator is aborted, which ends its kernels.
#include "collective/nccl.h"

#include <climits>
#include <thread>

namespace rs::collective {
namespace {

// From nccl.h.
constexpr unsigned kMagic = 0xcafebeef;
constexpr unsigned kVersion = 21800;
constexpr int kUndefined = INT_MIN;
constexpr int kInt64 = 4, kFloat32 = 7, kFloat64 = 8, kSum = 0;

// One block of threads is enough for gradients of small networks, and leaves the others to the train step.
constexpr int kMostBlocks = 1;

int type_of(Element element) {
  switch (element) {
    case Element::kFloat32: return kFloat32;
    case Element::kFloat64: return kFloat64;
    default: return kInt64;
  }
}

}  // namespace

Nccl::Nccl(std::unique_ptr<Staging> staging, const NcclId& id, int rank, int size, Deadline deadline)
    : Communicator(rank, size, deadline), staging_(std::move(staging)) {
  if (staging_) staging_->use();
  NcclConfig config = {sizeof config, kMagic, kVersion, 0, kUndefined, kUndefined, kMostBlocks, nullptr, kUndefined};
  try {
    require(nccl_.comm_init_rank_config(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
    wait_for("ncclCommInitRankConfig", [&] { return state() == kNcclSuccess; });
  } catch (const Failure&) {
    end();
    throw;
  }
}

void Nccl::enqueue(const void* in, void* out, int64_t count, Element element, NcclStream stream) {
  check();
  require(nccl_.all_reduce(in, out, static_cast<size_t>(count), type_of(element), kSum, comm_, stream), "ncclAllReduce");
  if (state() == kNcclInProgress) wait_for("ncclAllReduce", [&] { return state() == kNcclSuccess; });
}

void Nccl::wait(const std::function<bool()>& is_done) {
  try {
    wait_for("an all-reduce", is_done);
  } catch (const Failure& failure) {
    abort(failure.rank, failure.what());
    end();
    throw;
  }
}

void Nccl::reduce(void* values, int64_t count, Element element) {
  if (!staging_) throw Failure(Failure::kBackend, Failure::kNoRank, "NCCL sums what lies in a GPU's memory, not in the host's");
  staging_->use();
  const int64_t bytes = count * size_of(element);
  void* memory = staging_->memory(bytes);
  staging_->copy_in(memory, values, bytes);
  require(nccl_.all_reduce(memory, memory, static_cast<size_t>(count), type_of(element), kSum, comm_, staging_->stream()), "ncclAllReduce");
  if (state() == kNcclInProgress) wait_for("ncclAllReduce", [&] { return state() == kNcclSuccess; });
  staging_->copy_out(values, memory, bytes);
  wait_for("an all-reduce", [&] { return staging_->is_done(); });
}

void Nccl::close() {
  if (!comm_) return;
  if (aborted()) return end();
  try {
    require(nccl_.comm_finalize(comm_), "ncclCommFinalize");
    wait_for("ncclCommFinalize", [&] { return state() == kNcclSuccess; });
    nccl_.comm_destroy(comm_);
    comm_ = nullptr;
  } catch (const Failure&) {
    end();
  }
}

void Nccl::require(NcclResult result, const char* function) {
  if (result == kNcclSuccess || result == kNcclInProgress) return;
  throw Failure(Failure::kBackend, Failure::kNoRank, std::string(function) + ": " + nccl_.text_of(result, comm_));
}

// Of the communicator's last call, or of its kernels.
NcclResult Nccl::state() {
  NcclResult result = kNcclInProgress;
  require(nccl_.comm_get_async_error(comm_, &result), "ncclCommGetAsyncError");
  require(result, "NCCL");
  return result;
}

void Nccl::wait_for(const char* what, const std::function<bool()>& is_done) {
  const auto end = Clock::now() + deadline();
  for (int64_t looks = 1; !is_done(); ++looks) {
    throw_if_aborted();
    // Cheap at first, since most sums take microseconds.
    if (looks % 64 != 0) continue;
    state();
    if (Clock::now() >= end) {
      throw Failure(Failure::kTimeout, Failure::kNoRank,
                    std::string(what) + " was not done within " + std::to_string(deadline().count()) + " ms: some rank did not take part");
    }
    if (looks > 100000) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

// Ends NCCL's kernels; nothing can be done with the communicator after that.
void Nccl::end() {
  if (comm_) nccl_.comm_abort(comm_);
  comm_ = nullptr;
}

}  // namespace rs::collective
