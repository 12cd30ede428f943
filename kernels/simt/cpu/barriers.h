// __syncthreads and __syncwarp.
#pragma once

#include "thread.h"

namespace simt {

void sync_block(Where where);
void sync_warp(unsigned mask, Where where);

}  // namespace simt

// All threads of the block must come to the same one, even those that the hardware would excuse.
inline void __syncthreads(SIMT_WHERE) { simt::sync_block({file, line}); }

inline void __syncwarp(unsigned mask = 0xFFFFFFFF, SIMT_WHERE) { simt::sync_warp(mask, {file, line}); }
