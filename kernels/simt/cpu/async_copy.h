// cp.async: copies that a thread starts and goes on without.
//
// Between its start and the wait for it the destination is poisoned, so that reading or writing it too early
// shows: in the values, or as a data race.
#pragma once

#include "thread.h"

namespace simt {

void copy_async(void* shared, const void* global, unsigned bytes);
void commit_copies();
// Until at most `open` of the running thread's newest groups are still under way.
void wait_copies(unsigned open);

// Called by the scheduler: a block starts, or a thread of it ended.
void forget_copies();
bool has_open_copies(const Thread* thread);

}  // namespace simt
