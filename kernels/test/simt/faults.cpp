// Kernels with a planted fault, one a run: faults NAME. Each is found by the SIMT layer or by a sanitizer,
// whose words the test looks for. A fault that nobody finds ends with "not found".
#include "simt.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "device/async_copy.h"

namespace {

constexpr int kThreads = 64;

// ---- what ThreadSanitizer finds ----

__global__ void missing_barrier(float* out) {
  RS_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1;
  // __syncthreads() is missing
  out[threadIdx.x] = shared[(threadIdx.x + 1) % kThreads];
}

__global__ void missing_second_barrier(float* out) {
  __shared__ float shared[kThreads];
  for (int round = 0; round < 3; ++round) {
    shared[threadIdx.x] = static_cast<float>(round);
    __syncthreads();
    out[threadIdx.x] += shared[(threadIdx.x + 1) % kThreads];
    // here too
  }
}

__global__ void shuffle_for_a_barrier(float* out) {
  RS_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1;
  __shfl_sync(0xFFFFFFFF, 1, 0);  // brings lanes together, but orders no memory
  out[threadIdx.x] = shared[threadIdx.x ^ 1];
}

__global__ void unguarded_sum(float* out) { out[0] += 1; }

__global__ void copy_without_barrier(const float* in, float* out) {
  __shared__ float shared[kThreads];
  rs::gpu::copy_async<4>(&shared[threadIdx.x], in + threadIdx.x);
  rs::gpu::commit_copies();
  rs::gpu::wait_copies<0>();  // for its own copy only
  out[threadIdx.x] = shared[(threadIdx.x + 1) % kThreads];
}

// ---- what AddressSanitizer finds ----

__global__ void beyond_dynamic_shared(float* out) {
  RS_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x + 1] = 1;
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x];
}

__global__ void beyond_static_shared(float* out) {
  __shared__ float shared[kThreads];
  float* p = shared;
  p[threadIdx.x + 1] = 1;
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x];
}

__global__ void beyond_global(float* out) { out[threadIdx.x + 1] = 1; }

// ---- what the SIMT layer finds ----

__global__ void barrier_of_half_the_block(float* out) {
  if (threadIdx.x < kThreads / 2) __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers_for_one(float* out) {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void shuffle_of_some_lanes(int* out) {
  if (threadIdx.x % 32 < 20) out[threadIdx.x] = __shfl_sync(0xFFFFFFFF, 1, 0);
}

__global__ void shuffle_from_outside(int* out) {
  if (threadIdx.x % 32 < 8) out[threadIdx.x] = __shfl_sync(0xFF, static_cast<int>(threadIdx.x), 8);
}

__global__ void mask_without_itself(int* out) { out[threadIdx.x] = __shfl_sync(0xFFFFFF, 1, 0); }

__global__ void forgotten_copy(const float* in, float* out) {
  __shared__ float shared[kThreads];
  rs::gpu::copy_async<4>(&shared[threadIdx.x], in + threadIdx.x);
  rs::gpu::commit_copies();
  out[threadIdx.x] = 1;
}

void run(const char* fault) {
  constexpr size_t kBytes = kThreads * sizeof(float);
  const std::vector<float> in(kThreads);
  std::vector<float> out(kThreads);
  std::vector<int> ints(kThreads);
  const auto launch = [&](const char* name, auto kernel, auto... arguments) {
    if (std::strcmp(fault, name) == 0) simt::launch(kernel, 1, kThreads, kBytes, nullptr, arguments...);
  };
  launch("missing-barrier", missing_barrier, out.data());
  launch("missing-second-barrier", missing_second_barrier, out.data());
  launch("shuffle-for-a-barrier", shuffle_for_a_barrier, out.data());
  launch("unguarded-sum", unguarded_sum, out.data());
  launch("copy-without-barrier", copy_without_barrier, in.data(), out.data());
  launch("beyond-dynamic-shared", beyond_dynamic_shared, out.data());
  launch("beyond-static-shared", beyond_static_shared, out.data());
  launch("beyond-global", beyond_global, out.data());
  launch("barrier-of-half-the-block", barrier_of_half_the_block, out.data());
  launch("two-barriers-for-one", two_barriers_for_one, out.data());
  launch("shuffle-of-some-lanes", shuffle_of_some_lanes, ints.data());
  launch("shuffle-from-outside", shuffle_from_outside, ints.data());
  launch("mask-without-itself", mask_without_itself, ints.data());
  launch("forgotten-copy", forgotten_copy, in.data(), out.data());
}

}  // namespace

int main(int, char** arguments) {
  try {
    run(arguments[1]);
  } catch (const simt::Error& error) {
    std::printf("found: %s\n", error.what());
    // What ran before it is as good as new.
    std::vector<float> out(kThreads);
    simt::launch(missing_barrier, 1, 1, kThreads * sizeof(float), nullptr, out.data());
    return 1;
  }
  std::printf("not found\n");
  return 0;
}
