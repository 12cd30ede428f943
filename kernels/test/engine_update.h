// The CPU engine's own update, as compiled for AVX2 (the same bits as for AVX-512).
#pragma once

#include <cstdint>

#include "cpu/kernels.h"

namespace test {

bool has_avx2();

// For parameters [0, count), a multiple of 16.
void engine_update(const rs::cpu::Update& u, int64_t count, const float* gradient, float* parameters, float* m, float* v);

}  // namespace test
