// What a kernel's source needs to be compiled twice: by nvcc for a GPU, and by a plain C++17 compiler
// for the CPU, where tests run the same source under sanitizers (cpu/). A source file is made ready by
//   - including this header,
//   - launching through simt::launch in place of <<<>>>,
//   - declaring dynamic shared memory with RS_DYNAMIC_SHARED.
#pragma once

#include <cuda_runtime.h>  // NVIDIA's, or for the CPU the one in cpu/

#ifdef __CUDACC__

// `name` points to the block's dynamic shared memory, at a multiple of 16 bytes.
#define RS_DYNAMIC_SHARED(type, name)                            \
  extern __shared__ __align__(16) unsigned char rs_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(rs_dynamic_shared)

namespace simt {

template <typename... Parameters, typename... Arguments>
inline void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   Arguments... arguments) {
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
}

}  // namespace simt

#else

#include "cpu/launch.h"

#define RS_DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(simt::current->dynamic_shared)

#endif
