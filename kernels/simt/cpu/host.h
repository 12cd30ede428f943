// What launchers call of CUDA's host functions. The heap is the device's memory, and all work is done
// at once.
#pragma once

#include <cstddef>
#include <cstring>

typedef struct CUstream_st* cudaStream_t;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

namespace simt {

void allow_shared(const void* kernel, int bytes);

}  // namespace simt

// A kernel with more than 48 KB of dynamic shared memory must ask for it first.
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
  simt::allow_shared(reinterpret_cast<const void*>(kernel), bytes);
  return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* memory, int byte, size_t bytes, cudaStream_t = nullptr) {
  std::memset(memory, byte, bytes);
  return cudaSuccess;
}
