// Runs the blocks of a launch one after the other, and the threads of a block by turns: each until it waits
// or ends. A turn in which all that are left wait for each other is a deadlock.
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "async_copy.h"
#include "barriers.h"
#include "fiber.h"
#include "launch.h"
#include "ordering.h"
#include "warp.h"

namespace simt {

Thread* current = nullptr;

namespace {

constexpr unsigned kMostThreads = 1024, kMostWarps = kMostThreads / kWarp;
constexpr unsigned kMostMasks = 40;  // sets of lanes that meet in one warp
constexpr size_t kSharedUnasked = 48 << 10;  // bytes of dynamic shared memory that every kernel may have

// Where threads meet. All that meet must have come from the same source line.
struct Barrier {
  unsigned arrived = 0;
  unsigned generation = 0;
  Where where = {};
  // For ThreadSanitizer. A thread may come to the next meeting before another has gone on from this one: two
  // do, in turn, as for values below.
  char order[2];
};

// Where lanes of a warp meet. Each set of lanes has its own, so that parts of a warp can work apart.
struct WarpBarrier : Barrier {
  unsigned mask = 0;
  // What lanes give each other. A lane can be one meeting ahead of another, but not two: two rows do.
  uint64_t values[2][kWarp];
};

struct BlockThread : Thread {
  std::unique_ptr<Fiber> fiber;
  bool ended = false;
  // Null where it does not wait.
  bool (*ready)(const void*) = nullptr;
  const void* argument = nullptr;
  const char* what = "";
  Where where = {};
};

// The block that is running.
struct Block {
  std::vector<std::unique_ptr<BlockThread>> threads;  // more than the block has, after a larger one
  unsigned count = 0, ended = 0;
  Barrier barrier;
  WarpBarrier warp_barriers[kMostWarps][kMostMasks];  // those in use first
  std::unique_ptr<unsigned char[]> dynamic_shared;
  const std::function<void()>* body = nullptr;
  std::string error;
  // For ThreadSanitizer: a block's threads start after all that was done before, and end before what follows.
  char begin, end;
};

Block block;
Order order = Order::kForward;

std::map<const void*, size_t>& allowed_shared() {
  static std::map<const void*, size_t> bytes;
  return bytes;
}

BlockThread* running() { return static_cast<BlockThread*>(current); }

std::string text(uint3 i) {
  std::ostringstream s;
  s << i.x << "," << i.y << "," << i.z;
  return s.str();
}

std::string text(Where where) {
  std::ostringstream s;
  s << where.file << ":" << where.line;
  return s.str();
}

// Ends the launch: the running thread goes on no more. Its stack is dropped, so nothing on it may own memory.
[[noreturn]] void stop(const char* what, Where where, const Where* others = nullptr) {
  if (block.error.empty()) {
    Unwatched unwatched;
    block.error = std::string(what) + ": thread " + std::to_string(current->index) + " of block " +
                  text(current->block_index) + " at " + text(where);
    if (others) block.error += ", others at " + text(*others);
  }
  while (true) running()->fiber->suspend();
}

// ---- meeting ----

struct Meeting {
  const Barrier* barrier;
  unsigned generation;
};

bool is_over(const void* argument) {
  const Meeting* meeting = static_cast<const Meeting*>(argument);
  return meeting->barrier->generation != meeting->generation;
}

void meet(Barrier& barrier, unsigned expected, const char* what, Where where) {
  if (barrier.arrived == 0) {
    barrier.where = where;
  } else if (barrier.where.line != where.line || std::strcmp(barrier.where.file, where.file) != 0) {
    stop("a divergent barrier, shuffle or vote", where, &barrier.where);
  }
  if (++barrier.arrived == expected) {
    barrier.arrived = 0;
    ++barrier.generation;
    return;
  }
  const Meeting meeting = {&barrier, barrier.generation};
  wait_until(is_over, &meeting, what, where);
}

WarpBarrier& warp_barrier(unsigned mask, Where where) {
  const unsigned warp = current->index / kWarp, in_warp = std::min(kWarp, current->count - warp * kWarp);
  mask &= static_cast<unsigned>((uint64_t{1} << in_warp) - 1);  // a block's last warp need not be whole
  if (!(mask >> lane() & 1)) stop("a lane that its own mask lacks", where);
  for (WarpBarrier& barrier : block.warp_barriers[warp]) {
    if (barrier.mask == 0) barrier.mask = mask;
    if (barrier.mask == mask) return barrier;
  }
  stop("too many different masks", where);
}

void meet(WarpBarrier& barrier, const char* what, Where where) {
  meet(barrier, static_cast<unsigned>(__builtin_popcount(barrier.mask)), what, where);
}

// ---- a block ----

void thread_body(void* argument) {
  BlockThread* thread = static_cast<BlockThread*>(argument);
  while (true) {
    acquire(&block.begin);
    (*block.body)();
    if (has_open_copies(thread)) stop("asynchronous copies that nobody waited for", {"its end", 0});
    release(&block.end);
    thread->ended = true;
    ++block.ended;
    thread->fiber->suspend();
  }
}

void start_threads(dim3 grid, dim3 size, uint3 index, size_t shared_bytes) {
  block.count = size.x * size.y * size.z;
  block.ended = 0;
  block.barrier = Barrier();
  forget_copies();
  for (unsigned warp = 0; warp < (block.count + kWarp - 1) / kWarp; ++warp) {
    for (WarpBarrier& barrier : block.warp_barriers[warp]) barrier.mask = barrier.arrived = 0;
  }
  // Exactly as long as asked for, so that AddressSanitizer knows its end, and poisoned: a kernel that reads
  // what it has not written reads NaN.
  block.dynamic_shared.reset(new unsigned char[shared_bytes]);
  std::memset(block.dynamic_shared.get(), 0xFF, shared_bytes);
  while (block.threads.size() < block.count) {
    block.threads.emplace_back(new BlockThread());
    BlockThread* thread = block.threads.back().get();
    thread->fiber.reset(new Fiber(thread_body, thread));
  }
  for (unsigned i = 0; i < block.count; ++i) {
    BlockThread& thread = *block.threads[i];
    thread.thread_index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    thread.block_index = index;
    thread.block_size = size;
    thread.grid_size = grid;
    thread.index = i;
    thread.count = block.count;
    thread.dynamic_shared = block.dynamic_shared.get();
    thread.ended = false;
    thread.ready = nullptr;
  }
}

// Gives each thread a turn. Returns whether any could use it.
bool take_turns() {
  bool any = false;
  for (unsigned i = 0; i < block.count && block.error.empty(); ++i) {
    BlockThread& thread = *block.threads[order == Order::kForward ? i : block.count - 1 - i];
    if (thread.ended || (thread.ready && !thread.ready(thread.argument))) continue;
    any = true;
    current = &thread;
    thread.fiber->resume();
  }
  return any;
}

std::string deadlock(uint3 index) {
  std::ostringstream s;
  s << "deadlock in block " << text(index) << ": " << block.ended << " of " << block.count << " threads ended";
  int named = 0;
  for (unsigned i = 0; i < block.count && named < 4; ++i) {
    const BlockThread& thread = *block.threads[i];
    if (thread.ended) continue;
    s << "; thread " << i << " waits in " << thread.what << " at " << text(thread.where);
    ++named;
  }
  return s.str();
}

void run_block(dim3 grid, dim3 size, uint3 index, size_t shared_bytes) {
  start_threads(grid, size, index, shared_bytes);
  release(&block.begin);
  while (block.ended < block.count && block.error.empty()) {
    if (!take_turns()) block.error = deadlock(index);
  }
  for (unsigned i = 0; i < block.count; ++i) {
    if (!block.threads[i]->ended) block.threads[i]->fiber->release_all(&block.end);
  }
  acquire(&block.end);
  current = nullptr;
  if (block.error.empty()) return;
  block.threads.clear();  // their stacks are of no more use
  std::string error;
  error.swap(block.error);
  throw Error(error);
}

void check_launch(const void* kernel, dim3 grid, dim3 size, size_t shared_bytes) {
  const uint64_t threads = uint64_t{size.x} * size.y * size.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  std::ostringstream s;
  if (threads == 0 || blocks == 0) s << "an empty launch: " << blocks << " blocks of " << threads << " threads";
  if (threads > kMostThreads) s << "a block of " << threads << " threads; " << kMostThreads << " are the most";
  if (size.z > 64 || grid.y > 65535 || grid.z > 65535 || grid.x > 0x7FFFFFFF) s << "a dimension beyond CUDA's limits";
  const auto asked = allowed_shared().find(kernel);
  const size_t allowed = asked == allowed_shared().end() ? kSharedUnasked : asked->second;
  if (shared_bytes > allowed) s << shared_bytes << " bytes of dynamic shared memory where " << allowed << " are allowed";
  if (!s.str().empty()) throw Error(s.str());
}

}  // namespace

// ---- what kernels call ----

void wait_until(bool (*ready)(const void*), const void* argument, const char* what, Where where) {
  BlockThread* thread = running();
  if (ready(argument)) return;
  thread->ready = ready;
  thread->argument = argument;
  thread->what = what;
  thread->where = where;
  thread->fiber->suspend();
  thread->ready = nullptr;
}

void fail(const char* rule, Where where) { stop(rule, where); }

void sync_block(Where where) {
  Barrier& barrier = block.barrier;
  char* order = &barrier.order[barrier.generation % 2];
  release(order);
  meet(barrier, block.count, "__syncthreads", where);
  acquire(order);
}

void sync_warp(unsigned mask, Where where) {
  WarpBarrier& barrier = warp_barrier(mask, where);
  char* order = &barrier.order[barrier.generation % 2];
  release(order);
  meet(barrier, "__syncwarp", where);
  acquire(order);
}

uint64_t exchange(unsigned mask, uint64_t value, unsigned source, Where where) {
  WarpBarrier& barrier = warp_barrier(mask, where);
  if (!(barrier.mask >> source & 1)) stop("a shuffle from a lane that takes no part in it", where);
  uint64_t* values = barrier.values[barrier.generation % 2];
  values[lane()] = value;
  meet(barrier, "a shuffle", where);
  return values[source];
}

unsigned vote(unsigned mask, bool predicate, Where where) {
  WarpBarrier& barrier = warp_barrier(mask, where);
  uint64_t* values = barrier.values[barrier.generation % 2];
  values[lane()] = predicate;
  meet(barrier, "a vote", where);
  unsigned result = 0;
  for (unsigned i = 0; i < kWarp; ++i) {
    if (barrier.mask >> i & 1 && values[i]) result |= 1u << i;
  }
  return result;
}

void gather(uint32_t value, uint32_t (&all)[kWarp], Where where) {
  WarpBarrier& barrier = warp_barrier(0xFFFFFFFF, where);
  uint64_t* values = barrier.values[barrier.generation % 2];
  values[lane()] = value;
  meet(barrier, "an instruction of the whole warp", where);
  for (unsigned i = 0; i < kWarp; ++i) all[i] = static_cast<uint32_t>(values[i]);
}

// ---- what launchers call ----

void set_order(Order o) { order = o; }

void allow_shared(const void* kernel, int bytes) { allowed_shared()[kernel] = static_cast<size_t>(bytes); }

void run(const void* kernel, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()>& body) {
  check_launch(kernel, grid, size, shared_bytes);
  block.body = &body;
  const unsigned blocks = grid.x * grid.y * grid.z;
  for (unsigned i = 0; i < blocks; ++i) {
    const unsigned b = order == Order::kForward ? i : blocks - 1 - i;
    run_block(grid, size, {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)}, shared_bytes);
  }
}

}  // namespace simt
