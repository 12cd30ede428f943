#include "collective/communicator.h"

#include <cstring>
#include <vector>

namespace rs::collective {

void Communicator::all_reduce(void* values, int64_t count, Element element) {
  check();
  try {
    if (size_ > 1 && count > 0) reduce(values, count, element);
  } catch (const Failure& seen) {
    record(seen);
    fail();
  }
}

// Rarely used, and small: the sum of one value and zeros is that value.
void Communicator::broadcast(void* bytes, int64_t count, int root) {
  std::vector<int64_t> words(static_cast<size_t>((count + 7) / 8));
  if (rank_ == root && count > 0) std::memcpy(words.data(), bytes, static_cast<size_t>(count));
  all_reduce(words.data(), static_cast<int64_t>(words.size()), Element::kInt64);
  if (count > 0) std::memcpy(bytes, words.data(), static_cast<size_t>(count));
}

void Communicator::all_gather(const void* own, int64_t count, void* all) {
  const size_t bytes = static_cast<size_t>(count), width = (bytes + 7) / 8;
  std::vector<int64_t> words(width * static_cast<size_t>(size_));
  if (bytes > 0) std::memcpy(words.data() + width * static_cast<size_t>(rank_), own, bytes);
  all_reduce(words.data(), static_cast<int64_t>(words.size()), Element::kInt64);
  for (size_t r = 0; r < static_cast<size_t>(size_) && bytes > 0; ++r) {
    std::memcpy(static_cast<char*>(all) + r * bytes, words.data() + r * width, bytes);
  }
}

void Communicator::barrier() {
  int64_t nothing = 0;
  all_reduce(&nothing, 1, Element::kInt64);
}

double Communicator::time_sums(int64_t bytes, int64_t sums) {
  barrier();
  try {
    return size_ > 1 ? time_reduce(bytes, sums) : 0;
  } catch (const Failure& seen) {
    record(seen);
    fail();
  }
}

double Communicator::time_reduce(int64_t bytes, int64_t sums) {
  std::vector<float> values(static_cast<size_t>(bytes) / sizeof(float));
  const auto begin = Clock::now();
  for (int64_t i = 0; i < sums; ++i) reduce(values.data(), static_cast<int64_t>(values.size()), Element::kFloat32);
  return std::chrono::duration<double>(Clock::now() - begin).count() / static_cast<double>(sums);
}

void Communicator::abort(int culprit, const std::string& reason) {
  const Failure failure(Failure::kAborted, culprit, reason);
  if (record(failure)) wake(failure);
}

bool Communicator::record(const Failure& failure) {
  std::lock_guard<std::mutex> lock(failure_mutex_);
  if (failure_) return false;
  failure_ = std::make_unique<Failure>(failure);
  failed_.store(true, std::memory_order_release);
  return true;
}

void Communicator::fail() {
  if (!reported_) {
    reported_ = true;
    report(*failure_);
  }
  throw *failure_;
}

}  // namespace rs::collective
