// What a thread of a kernel knows of itself, and how it waits for others.
#pragma once

#include "types.h"

namespace simt {

constexpr unsigned kWarp = 32;

struct Thread {
  uint3 thread_index, block_index;
  dim3 block_size, grid_size;
  unsigned index;  // of the thread in its block
  unsigned count;  // of the block's threads
  unsigned char* dynamic_shared;
};

// The thread that is running. All threads of a block share one thread of the CPU, as fibers: one runs
// until it waits or ends, then the next.
extern Thread* current;

inline unsigned lane() { return current->index % kWarp; }

struct Where {
  const char* file;
  int line;
};

// Suspends the running thread until ready(argument) is true. `what` it waits for is named in a deadlock.
void wait_until(bool (*ready)(const void*), const void* argument, const char* what, Where where);

// Ends the launch with simt::Error: the running thread broke a rule.
[[noreturn]] void fail(const char* rule, Where where);

}  // namespace simt

#define threadIdx (simt::current->thread_index)
#define blockIdx (simt::current->block_index)
#define blockDim (simt::current->block_size)
#define gridDim (simt::current->grid_size)
#define warpSize 32

// Default arguments take the caller's line.
#define SIMT_WHERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
