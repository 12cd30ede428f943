// NCCL waits for ever for a rank that is gone, unless the communicator is non-blocking: then every call returns at
// once and its end must be asked for. That, and the stream's end, are asked for until the deadline; then the
// communicator is aborted, which ends its kernels.
#include "collective/nccl.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "collective/nccl_memory.h"

namespace rs::collective {
namespace {

// From nccl.h.
constexpr unsigned kMagic = 0xcafebeef;
constexpr unsigned kVersion = 21800;
constexpr int kUndefined = INT_MIN;
constexpr int kInt64 = 4, kFloat32 = 7, kFloat64 = 8;

// With 1, several ranks may have one GPU.
constexpr char kSharing[] = "NCCL_MULTI_RANK_GPU_ENABLE";

std::atomic<int> communicators{0};  // of this process

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
  ++communicators;
  if (staging_) staging_->use();
  NcclConfig config = {sizeof config, kMagic, kVersion, 0, kUndefined, kUndefined, kMostBlocks, nullptr, kUndefined};
  try {
    require(nccl_.comm_init_rank_config(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
    wait_for("ncclCommInitRankConfig", [&] { return state() == kNcclSuccess; });
  } catch (const Failure&) {
    end();
    --communicators;
    throw;
  }
}

Nccl::~Nccl() {
  close();
  --communicators;
}

void Nccl::enqueue(const void* in, void* out, int64_t count, Element element, NcclStream stream) {
  check();
  add_to_stream(in, out, count, type_of(element), kSum, stream);
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

// What fails on one rank would leave the others waiting in the next sum.
template <typename F>
auto Nccl::together(F work) {
  check();
  try {
    return work();
  } catch (const Failure& failure) {
    abort(failure.rank, failure.what());
    end();
    throw;
  }
}

void Nccl::agree(const std::vector<Fact>& facts) {
  together([&] { compare(facts); });
}

void Nccl::compare(const std::vector<Fact>& facts) {
  std::vector<int64_t> words;
  for (const Fact& fact : facts) words.insert(words.end(), {fact.value, -fact.value});
  reduce_words(words.data(), static_cast<int64_t>(words.size()), kMost);
  for (size_t f = 0; f < facts.size(); ++f) {
    // The most and the least that any rank has.
    if (words[2 * f] != -words[2 * f + 1]) name_who_differs(facts);
  }
}

void Nccl::name_who_differs(const std::vector<Fact>& facts) {
  const size_t width = facts.size();
  std::vector<int64_t> all(width * static_cast<size_t>(size()));
  for (size_t f = 0; f < width; ++f) all[width * static_cast<size_t>(rank()) + f] = facts[f].value;
  reduce_words(all.data(), static_cast<int64_t>(all.size()), kSum);
  for (size_t i = width; i < all.size(); ++i) {
    if (all[i] == all[i % width]) continue;
    const int culprit = static_cast<int>(i / width);
    throw Failure(Failure::kMismatch, culprit,
                  "rank " + std::to_string(culprit) + " has " + facts[i % width].name + " " + std::to_string(all[i]) +
                      " where rank 0 has " + std::to_string(all[i % width]) + ": the ranks do not do the same");
  }
  throw Failure(Failure::kMismatch, Failure::kNoRank, "the ranks do not do the same");
}

bool Nccl::all_have(bool here) {
  return together([&] { return is_nowhere_missing(here); });
}

bool Nccl::is_nowhere_missing(bool here) {
  int64_t missing = !here;
  reduce_words(&missing, 1, kMost);
  return missing == 0;
}

std::unique_ptr<NcclMemory> Nccl::window(int64_t bytes) {
  return together([&] { return make_window(bytes); });
}

std::unique_ptr<NcclMemory> Nccl::make_window(int64_t bytes) {
  if (!is_nowhere_missing(nccl_.has_windows())) return nullptr;
  auto memory = std::make_unique<NcclMemory>(*this, bytes);
  // No rank registers alone: the others would not come.
  if (!is_nowhere_missing(memory->get() != nullptr)) return nullptr;
  const bool registered = memory->make_window();
  return is_nowhere_missing(registered) ? std::move(memory) : nullptr;
}

bool Nccl::may_capture() const {
  const char* sharing = std::getenv(kSharing);
  return communicators == 1 && !(sharing && std::strcmp(sharing, "1") == 0);
}

// Compared first, as every other communicator does.
void Nccl::reduce(void* values, int64_t count, Element element) {
  compare({{"count of values", count}, {"kind of values", static_cast<int64_t>(element)}});
  reduce_here(values, count, type_of(element), kSum);
}

void Nccl::reduce_words(int64_t* words, int64_t count, Operation operation) { reduce_here(words, count, kInt64, operation); }

void Nccl::reduce_here(void* values, int64_t count, int type, Operation operation) {
  if (!staging_) throw Failure(Failure::kBackend, Failure::kNoRank, "NCCL sums what lies in a GPU's memory, not in the host's");
  staging_->use();
  const int64_t bytes = count * (type == kFloat32 ? 4 : 8);
  void* memory = staging_->memory(bytes);
  staging_->copy_in(memory, values, bytes);
  add_to_stream(memory, memory, count, type, operation, staging_->stream());
  staging_->copy_out(values, memory, bytes);
  wait_for("an all-reduce", [&] { return staging_->is_done(); });
}

void Nccl::add_to_stream(const void* in, void* out, int64_t count, int type, Operation operation, NcclStream stream) {
  require(nccl_.all_reduce(in, out, static_cast<size_t>(count), type, operation, comm_, stream), "ncclAllReduce");
  if (state() == kNcclInProgress) wait_for("ncclAllReduce", [&] { return state() == kNcclSuccess; });
}

double Nccl::time_reduce(int64_t bytes, int64_t sums) {
  if (!staging_) throw Failure(Failure::kBackend, Failure::kNoRank, "NCCL sums what lies in a GPU's memory, not in the host's");
  staging_->use();
  void* memory = staging_->memory(bytes);
  const std::vector<char> zeros(static_cast<size_t>(bytes));
  staging_->copy_in(memory, zeros.data(), bytes);
  // The first connects the ranks.
  add_to_stream(memory, memory, bytes / 4, kFloat32, kSum, staging_->stream());
  flush(memory);
  const auto begin = Clock::now();
  for (int64_t i = 0; i < sums; ++i) add_to_stream(memory, memory, bytes / 4, kFloat32, kSum, staging_->stream());
  flush(memory);
  return std::chrono::duration<double>(Clock::now() - begin).count() / static_cast<double>(sums);
}

// Waits for what is on the staging's stream.
void Nccl::flush(void* memory) {
  float first = 0;
  staging_->copy_out(&first, memory, sizeof first);
  wait_for("an all-reduce", [&] { return staging_->is_done(); });
}

void Nccl::close() {
  if (!comm_) return;
  if (aborted()) return end();
  forget_windows();
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

// Memory may outlive the communicator, but windows may not.
void Nccl::forget_windows() {
  while (!windows_.empty()) windows_.back()->end_window();
}

// Ends NCCL's kernels; nothing can be done with the communicator after that. Its windows end with it.
void Nccl::end() {
  if (comm_) nccl_.comm_abort(comm_);
  comm_ = nullptr;
  forget_windows();
}

}  // namespace rs::collective
