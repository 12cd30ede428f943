// Marks functions that the CPU and the GPU both run.
#pragma once

#ifdef __CUDACC__
#define RS_HOST_DEVICE __host__ __device__
#else
#define RS_HOST_DEVICE
#endif

// Before a loop that is rare, and whose code would be long.
#ifdef __CUDA_ARCH__
#define RS_NO_UNROLL _Pragma("unroll 1")
#else
#define RS_NO_UNROLL
#endif
