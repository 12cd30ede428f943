// CUDA's host functions: the heap is the device's memory.
#pragma once

#include "runtime.h"
