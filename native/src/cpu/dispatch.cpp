#include <cstdlib>
#include <cstring>

#include "cpu/kernels.h"
#include "exact_sum.h"

namespace rs::cpu {

namespace avx512 { extern const Kernels kKernels; }
namespace avx2 { extern const Kernels kKernels; }
namespace baseline { extern const Kernels kKernels; }

namespace {

struct Choice {
  const Kernels* kernels;
  bool supported;
};

const Kernels& choose() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  const Choice choices[] = {{&avx512::kKernels, avx512}, {&avx2::kKernels, avx2}, {&baseline::kKernels, true}};

  const char* wanted = std::getenv("RINGSTEP_SIMD");
  bool reached = wanted == nullptr;
  for (const Choice& choice : choices) {
    reached = reached || std::strcmp(wanted, choice.kernels->name) == 0;
    if (reached && choice.supported) return *choice.kernels;
  }
  // An unknown name asks for nothing we know: it counts as not set.
  for (const Choice& choice : choices) {
    if (choice.supported) return *choice.kernels;
  }
  return baseline::kKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

float exact_sum_of(const float* values, int64_t stride, int64_t count) {
  ExactSum sum;
  for (int64_t i = 0; i < count; ++i) sum.add(values[i * stride]);
  return sum.result();
}

}  // namespace rs::cpu
