// Rows of a batch on their way through shared memory: tiles are copied while earlier ones are worked on.
#pragma once

#include "device/async_copy.h"
#include "fused_network.h"
#include "rows.h"
#include "simt.h"

namespace rs::gpu {

// Starts to copy a row to shared memory, in the largest pieces that all rows are aligned to. Loops of the number of
// inputs, here and below, are not unrolled: that would be most of a kernel's code, and seldom run.
__device__ __forceinline__ void copy_row(const float* from, int inputs, float* to, int room) {
  if (inputs % 4 == 0 && room % 4 == 0) {
#pragma unroll 1
    for (int i = 0; i < inputs; i += 4) copy_async<16>(to + i, from + i);
  } else if (inputs % 2 == 0 && room % 2 == 0) {
#pragma unroll 1
    for (int i = 0; i < inputs; i += 2) copy_async<8>(to + i, from + i);
  } else {
#pragma unroll 1
    for (int i = 0; i < inputs; ++i) copy_async<4>(to + i, from + i);
  }
}

// Starts to copy rows [first, first + count) to x [room][kInputs] and y [room], row by row, by all threads of the
// block; each commits its copies itself. Inputs beyond the network's own and rows beyond `count` become 0. Row i of
// the batch is the dataset's row origin + rows.at(i).
template <int kInputs>
__device__ __forceinline__ void copy_rows(const Rows& rows, int64_t origin, int inputs, int64_t first, int count,
                                          int room, float* x, float* y) {
#pragma unroll 1
  for (int r = static_cast<int>(threadIdx.x); r < room; r += static_cast<int>(blockDim.x)) {
    const bool some = r < count;
    if (some) {
      const int64_t row = origin + rows.at(first + r);
      copy_row(rows.x + row * inputs, inputs, x + r * kInputs, kInputs);
      copy_async<4>(y + r, rows.y + row);
    } else {
      y[r] = 0;
    }
#pragma unroll 1
    for (int i = some ? inputs : 0; i < kInputs; ++i) x[r * kInputs + i] = 0;
  }
}

// The same for a tile of kTile rows by kThreads threads, at once where it is one piece of memory.
template <int kInputs, int kTile, int kThreads>
__device__ __forceinline__ void copy_tile(const Rows& rows, int inputs, int64_t first, int count, float* x, float* y) {
  constexpr int kChunks = kTile * kInputs / 4;  // of 16 bytes
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t start = rows.first + first;
  if (count < kTile || inputs < kInputs || rows.shuffled || start % 4 != 0) {
    copy_rows<kInputs>(rows, 0, inputs, first, count, kTile, x, y);
    return;
  }
  // At a multiple of 16 bytes: neighbours copy neighbouring chunks.
  const float* from_x = rows.x + start * kInputs;
  const float* from_y = rows.y + start;
#pragma unroll
  for (int i = 0; i < kChunks; i += kThreads) {
    const int chunk = i + thread;
    if (i + kThreads <= kChunks || chunk < kChunks) copy_async<16>(x + 4 * chunk, from_x + 4 * chunk);
  }
  if (thread < kTile / 4) copy_async<16>(y + 4 * thread, from_y + 4 * thread);
}

// The same for the tile-th tile of a block of the task's rows, committed; nothing is copied past the end of either.
template <int kInputs, int kTile, int kThreads>
__device__ __forceinline__ void copy_block_tile(const FusedGradient& task, int64_t block, int tile, float* x, float* y) {
  if (block < task.end) {
    const int64_t left = task.blocks.size(block) - int64_t{tile} * kTile;
    const int count = left < kTile ? static_cast<int>(left) : kTile;
    const int64_t first = task.blocks.first(block) + int64_t{tile} * kTile;
    if (count > 0) copy_tile<kInputs, kTile, kThreads>(task.rows, task.inputs, first, count, x, y);
  }
  commit_copies();
}

}  // namespace rs::gpu
