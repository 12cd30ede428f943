// Small sums: every rank copies its values into a slot, waits for all, and adds all slots in the order of ranks. The
// slots are doubled: a rank can be one operation ahead of another, but never two. Large ones: piece by piece, each
// rank adds its share of the piece for all.
#include "collective/local.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "collective/futex.h"
#include "thread_pool.h"

namespace rs::collective {
namespace {

constexpr int64_t kSmallBytes = 16 << 10;
constexpr int64_t kSlotBytes = 256 << 10;
// Whoever waits looks for as long as a step of a small network takes, then sleeps. After the first moment, or at once
// where ranks are more than processors, he gives way between looks: who he waits for may need his processor, be it
// only because another program has the others.
constexpr auto kSpin = std::chrono::microseconds(50), kUndisturbed = std::chrono::microseconds(2);
// Whatever changes wakes sleepers; if ever that failed, they would see it after this.
constexpr auto kNap = std::chrono::milliseconds(500);

// What a rank brings to an operation.
struct Offer {
  int64_t count = 0;
  Element element = Element::kInt64;
  std::vector<char> bytes = std::vector<char>(kSlotBytes);
};

struct alignas(64) Slot {
  std::atomic<uint64_t> arrived{0};  // barriers this rank has come to
  std::atomic<bool> left{false};
  Offer offers[2];
};

// What the ranks share.
struct Group {
  explicit Group(int size) : slots(static_cast<size_t>(size)), sum(kSlotBytes) {
    spins = size <= processor_count();
  }

  Slot& slot(int rank) { return slots[static_cast<size_t>(rank)]; }
  int size() const { return static_cast<int>(slots.size()); }

  std::vector<Slot> slots;
  std::vector<char> sum;  // of a large piece
  bool spins;

  Futex change;  // of whatever a rank waits for
  std::mutex mutex;
  std::atomic<bool> failed{false};
  std::unique_ptr<Failure> failure;  // guarded by mutex
};

class Local final : public Communicator {
 public:
  Local(std::shared_ptr<Group> group, int rank, Deadline deadline)
      : Communicator(rank, group->size(), deadline), group_(std::move(group)) {}
  ~Local() override { leave(); }

  const char* name() const override { return "local"; }
  void close() override { leave(); }

 protected:
  void reduce(void* values, int64_t count, Element element) override {
    char* bytes = static_cast<char*>(values);
    const int64_t width = size_of(element), piece = kSlotBytes / width;
    if (count * width <= kSmallBytes) return reduce_small(bytes, count, element);
    for (int64_t done = 0; done < count; done += piece) {
      reduce_piece(bytes + done * width, std::min(piece, count - done), element);
    }
  }

  void wake(const Failure& failure) override { report(failure); }

  void report(const Failure& failure) override {
    {
      std::lock_guard<std::mutex> lock(group_->mutex);
      if (!group_->failure) group_->failure = std::make_unique<Failure>(failure);
      group_->failed.store(true, std::memory_order_release);
    }
    group_->change.wake_all();
  }

 private:
  Offer& offer_of(int rank) { return group_->slot(rank).offers[parity_]; }

  void offer(const char* values, int64_t count, Element element) {
    Offer& own = offer_of(rank());
    own.count = count;
    own.element = element;
    std::memcpy(own.bytes.data(), values, static_cast<size_t>(count * size_of(element)));
  }

  void add_slots(char* sum, int64_t first, int64_t count, Element element) {
    const int64_t at = first * size_of(element);
    std::memcpy(sum, offer_of(0).bytes.data() + at, static_cast<size_t>(count * size_of(element)));
    for (int r = 1; r < size(); ++r) add(sum, offer_of(r).bytes.data() + at, count, element);
  }

  void reduce_small(char* values, int64_t count, Element element) {
    offer(values, count, element);
    meet();
    require_same(count, element);
    add_slots(values, 0, count, element);
    parity_ ^= 1;
  }

  void reduce_piece(char* values, int64_t count, Element element) {
    offer(values, count, element);
    meet();
    require_same(count, element);
    const int64_t first = count * rank() / size(), end = count * (rank() + 1) / size();
    add_slots(group_->sum.data() + first * size_of(element), first, end - first, element);
    meet();
    std::memcpy(values, group_->sum.data(), static_cast<size_t>(count * size_of(element)));
    parity_ ^= 1;
  }

  void require_same(int64_t count, Element element) {
    for (int r = 0; r < size(); ++r) {
      const Offer& other = offer_of(r);
      if (other.count == count && other.element == element) continue;
      throw Failure(Failure::kMismatch, r,
                    "rank " + std::to_string(r) + " sums " + std::to_string(other.count) + " values where rank " +
                        std::to_string(rank()) + " sums " + std::to_string(count));
    }
  }

  // The first rank that has not come to this barrier, or kNoRank.
  int missing(uint64_t barrier) const {
    for (int r = 0; r < size(); ++r) {
      if (group_->slot(r).arrived.load(std::memory_order_seq_cst) < barrier) return r;
    }
    return Failure::kNoRank;
  }

  void meet() {
    if (group_->failed.load(std::memory_order_acquire)) fail_as_group();
    const uint64_t barrier = group_->slot(rank()).arrived.load(std::memory_order_relaxed) + 1;
    group_->slot(rank()).arrived.store(barrier, std::memory_order_seq_cst);
    const auto over = [&] { return missing(barrier) == Failure::kNoRank || ended(barrier); };
    // Who comes last wakes the others. An earlier one would wake them for nothing, in turns that others wait for.
    if (missing(barrier) == Failure::kNoRank) {
      group_->change.wake_all();
    } else if (!spin_until(over)) {
      sleep_until(over);
    }
    throw_if_aborted();
    const int late = missing(barrier);
    if (late == Failure::kNoRank) return;
    if (group_->failed.load(std::memory_order_acquire)) fail_as_group();
    // Others may be late as well, but who has left is the reason.
    const int lost = gone(barrier);
    if (lost != Failure::kNoRank) throw Failure(Failure::kRankLost, lost, "rank " + std::to_string(lost) + " has left");
    throw Failure(Failure::kTimeout, late,
                  "rank " + std::to_string(late) + " did not arrive within " + std::to_string(deadline().count()) + " ms");
  }

  [[noreturn]] void fail_as_group() const {
    std::lock_guard<std::mutex> lock(group_->mutex);
    throw *group_->failure;
  }

  // Whether to wait no more.
  bool ended(uint64_t barrier) const {
    return group_->failed.load(std::memory_order_acquire) || aborted() || gone(barrier) != Failure::kNoRank;
  }

  // The first rank that has left without coming to this barrier, or kNoRank.
  int gone(uint64_t barrier) const {
    for (int r = 0; r < size(); ++r) {
      const Slot& slot = group_->slot(r);
      // In this order: a rank arrives first and leaves then.
      if (slot.left.load(std::memory_order_acquire) && slot.arrived.load(std::memory_order_seq_cst) < barrier) return r;
    }
    return Failure::kNoRank;
  }

  template <typename Condition>
  bool spin_until(Condition over) const {
    const auto begin = Clock::now();
    auto gives_way = begin;
    if (group_->spins) gives_way += kUndisturbed;
    for (auto now = begin; now < begin + kSpin; now = Clock::now()) {
      if (now >= gives_way) sched_yield();
      for (int i = 0; i < 32; ++i) {
        if (over()) return true;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
    }
    return over();
  }

  template <typename Condition>
  void sleep_until(Condition over) {
    const auto end = Clock::now() + deadline();
    while (true) {
      const uint32_t seen = group_->change.value();
      const auto left = end - Clock::now();
      if (over() || left <= left.zero()) return;
      group_->change.sleep(seen, std::min<Clock::duration>(kNap, left));
    }
  }

  void leave() {
    group_->slot(rank()).left.store(true, std::memory_order_release);
    group_->change.wake_all();
  }

  std::shared_ptr<Group> group_;
  int parity_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> make_local(int size, Deadline deadline) {
  const auto group = std::make_shared<Group>(size);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int r = 0; r < size; ++r) ranks.push_back(std::make_unique<Local>(group, r, deadline));
  return ranks;
}

}  // namespace rs::collective
