#include "engine_update.h"

#include "cpu/isa/update.h"

namespace test {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

void engine_update(const rs::cpu::Update& u, int64_t count, const float* gradient, float* parameters, float* m, float* v) {
  rs::cpu::RS_ISA::update(u, 0, count, gradient, parameters, m, v);
}

}  // namespace test
