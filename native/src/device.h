// Marks functions that the CPU and the GPU both run.
#pragma once

#ifdef __CUDACC__
#define RS_HOST_DEVICE __host__ __device__
#else
#define RS_HOST_DEVICE
#endif
