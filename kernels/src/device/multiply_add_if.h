// A multiply-add that may not happen.
#pragma once

#include "simt.h"

namespace rs::gpu {

// result = a b + c, if `happens`. One predicated instruction: the compiler would make of many such a branch around
// them all, for which a lone warp waits longer than for the instructions.
__device__ __forceinline__ void assign_fma_if(bool happens, float a, float b, float c, float& result) {
#ifdef __CUDACC__
  asm("{\n\t.reg .pred happens;\n\tsetp.ne.s32 happens, %4, 0;\n\t@happens fma.rn.f32 %0, %1, %2, %3;\n\t}"
      : "+f"(result)
      : "f"(a), "f"(b), "f"(c), "r"(static_cast<int>(happens)));
#else
  if (happens) result = fmaf(a, b, c);
#endif
}

// sum += a b, if `happens`.
__device__ __forceinline__ void multiply_add_if(bool happens, float a, float b, float& sum) {
  assign_fma_if(happens, a, b, sum, sum);
}

}  // namespace rs::gpu
