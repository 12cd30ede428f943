// The kernels of every instruction set that this processor has.
#pragma once

#include <cstdio>
#include <vector>

#include "cpu/kernels.h"

namespace rs::cpu {
namespace avx512 { extern const Kernels kKernels; }
namespace avx2 { extern const Kernels kKernels; }
namespace baseline { extern const Kernels kKernels; }
}  // namespace rs::cpu

namespace test {

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

// Names those it has to leave out.
inline std::vector<const rs::cpu::Kernels*> instruction_sets() {
  std::vector<const rs::cpu::Kernels*> sets = {&rs::cpu::baseline::kKernels};
  if (has_avx2()) sets.push_back(&rs::cpu::avx2::kKernels);
  if (has_avx512()) sets.push_back(&rs::cpu::avx512::kKernels);
  if (!has_avx2()) std::printf("skipped: avx2\n");
  if (!has_avx512()) std::printf("skipped: avx512\n");
  return sets;
}

}  // namespace test
