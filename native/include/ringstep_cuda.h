/*
 * ringstep_cuda.h: what the CUDA engine's own library has to offer. It needs no driver to be loaded. All training
 * goes through ringstep.h, once rs_register_backend(rs_cuda_backend()) was called.
 *
 * Every function may be called by any thread. Texts are valid until the calling thread's next call that gives one.
 */
#ifndef RINGSTEP_CUDA_H
#define RINGSTEP_CUDA_H

#include <stdint.h>

#include "ringstep.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For rs_register_backend. */
RS_API const void* rs_cuda_backend(void);

/* Why no device can be used, such as "no CUDA driver (libcuda.so.1 is not installed)"; "" where one can. */
RS_API const char* rs_cuda_unavailable(void);

/* 0 where none can be used. */
RS_API int32_t rs_cuda_device_count(void);

/* "NVIDIA H100 80GB HBM3, compute capability 9.0, 132 multiprocessors, 79.1 of 79.6 GiB free". Where the device cannot
 * be used, the reason. */
RS_API const char* rs_cuda_device_description(int32_t device);

/* "GPU-5f0b8f1e-7c7e-...", which no other GPU in the world has; "" where the device cannot be used. */
RS_API const char* rs_cuda_device_uuid(int32_t device);

/* How `device` reaches the memory of `peer`, as CUDA reports it: "directly, with atomics, as over NVLink, performance rank 0",
 * "directly, without atomics, as over PCIe, ...", or "by way of the host". Where CUDA does not say, the reason. */
RS_API const char* rs_cuda_peer_description(int32_t device, int32_t peer);

/* 13000 is CUDA 13.0. The driver's is the newest CUDA that it can run, 0 where there is no driver. */
RS_API int32_t rs_cuda_driver_version(void);
RS_API int32_t rs_cuda_runtime_version(void);

/* Checks that a device computes and moves data as it should, each a matter of at most seconds. */
RS_API int32_t rs_cuda_check_count(void);
RS_API const char* rs_cuda_check_name(int32_t check);
/* 0: passed, with what was measured in `detail`; 1: failed, with the reason; 2: does not apply to this device. */
RS_API int32_t rs_cuda_check(int32_t check, int32_t device, char* detail, int32_t capacity);

/* For tests of what happens then: makes a kernel touch memory that is not there, which loses the device for this
 * process. Returns the rs_status of the error. */
RS_API int32_t rs_cuda_lose_device(int32_t device);

#ifdef __cplusplus
}
#endif
#endif /* RINGSTEP_CUDA_H */
