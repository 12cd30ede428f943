// Copies from global to shared memory that bypass the registers and overlap with the thread's work
// (cp.async, from compute capability 8.0 on; before, plain copies). Each thread waits for its own, then
// __syncthreads shows them to the block.
#pragma once

#include "simt.h"
#ifndef __CUDACC__
#include "cpu/async_copy.h"
#endif

namespace rs::gpu {

// kBytes: 4, 8 or 16, of which both addresses are multiples.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "as the instruction has it");
#if !defined(__CUDACC__)
  simt::copy_async(shared, global, kBytes);
#elif __CUDA_ARCH__ >= 800
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(global), "n"(kBytes) : "memory");
#else
  for (int i = 0; i < kBytes / 4; ++i) static_cast<unsigned*>(shared)[i] = static_cast<const unsigned*>(global)[i];
#endif
}

// The copies since the last commit become a group.
__device__ __forceinline__ void commit_copies() {
#if !defined(__CUDACC__)
  simt::commit_copies();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most kOpen of the newest groups are still under way.
template <int kOpen>
__device__ __forceinline__ void wait_copies() {
#if !defined(__CUDACC__)
  simt::wait_copies(kOpen);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
#endif
}

}  // namespace rs::gpu
