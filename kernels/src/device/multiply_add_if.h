// A multiply-add that may not happen.
#pragma once

#include "simt.h"

namespace rs::gpu {

// sum += a b, if `happens`. One predicated instruction: the compiler would make of many such a branch around them
// all, for which a lone warp waits longer than for the instructions.
__device__ __forceinline__ void multiply_add_if(bool happens, float a, float b, float& sum) {
#ifdef __CUDACC__
  asm("{\n\t.reg .pred happens;\n\tsetp.ne.s32 happens, %3, 0;\n\t@happens fma.rn.f32 %0, %1, %2, %0;\n\t}"
      : "+f"(sum)
      : "f"(a), "f"(b), "r"(static_cast<int>(happens)));
#else
  if (happens) sum = fmaf(a, b, sum);
#endif
}

}  // namespace rs::gpu
