// CUDA's error codes as exceptions.
#pragma once

#include <cuda_runtime.h>

#include <string>

namespace rs::cuda {

// Whether a device can still be used by this process after `code`. A lost context fails every later call, also
// those of other threads.
bool is_fatal(cudaError_t code);

// Remembers that a device cannot be used any more, and why.
void lose(int device, const std::string& why);

// Why a device was lost; "" while it can be used.
std::string why_lost(int device);
bool is_lost(int device) noexcept;

// "cuda:0: copying rows failed: cudaErrorInvalidValue (invalid argument)" and, where there is one, a remedy.
std::string describe(cudaError_t code, const char* operation, int device);

// Throws a DeviceError for any code but cudaSuccess. `operation` is a phrase, such as "copying rows".
void check(cudaError_t code, const char* operation, int device);

}  // namespace rs::cuda
