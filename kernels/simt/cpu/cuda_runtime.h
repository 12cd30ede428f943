// Stands in for CUDA's header of this name where kernels are compiled for the CPU: the part of CUDA that
// ours use, and nothing that would let them use more.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "atomics.h"
#include "barriers.h"
#include "host.h"
#include "intrinsics.h"
#include "thread.h"
#include "types.h"
#include "warp.h"
