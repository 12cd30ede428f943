// Runs a kernel on the CPU.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>

#include "host.h"
#include "thread.h"

namespace simt {

// A kernel broke a rule of CUDA's: a deadlock, a barrier in divergent code, a launch the hardware refuses.
// The message says which, the block, the thread and the source line.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The order in which blocks run, and the threads of a block between two barriers. The hardware promises
// none, so a test runs a kernel in both and compares the bits.
enum class Order { kForward, kReverse };
void set_order(Order order);

void run(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Arguments... arguments) {
  submit(stream, [=] {
    run(reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
        [&] { kernel(static_cast<Parameters>(arguments)...); });
  });
}

}  // namespace simt
