// Forward, loss, backward and the reduction over rows of one batch, in one pass over its rows.
//
//   task.rows.x          [*, inputs]     read once, through shared memory
//   task.rows.y          [*]             read once, likewise
//   task.parameters      [parameters]    read once by each thread block, then kept in registers
//   task.block_gradients [blocks][gradient length]  written once
//
// A group of kLanes lanes takes a sample; each lane owns kUnits hidden units, their weights and their share of
// the gradient, all in registers: for 10 inputs and 20 hidden units 4 lanes x 5 units, 61 weights and 57 sums a
// lane. One lane a sample would need 484 registers; a gradient in shared memory would cost a load and a store
// for every multiply-add. The output takes two shuffles, after which each lane of the group knows the error.
//
// A block of rows is one thread block's work: sample r of it goes to group r % groups, in order, and the groups'
// sums are added as a tree. So a block's bits depend on nothing but its rows, and there is nothing to synchronise
// between thread blocks; the sum over blocks is add_blocks'.
//
// Rows come in tiles, double-buffered: while one is worked on, the next is copied. A tile is 256 rows, so that
// waiting costs little, and a thread block goes from block to block without emptying the pipeline. Three thread
// blocks of 128 threads a multiprocessor leave 168 registers a thread; the 50 independent chains of multiply-adds
// in each lane hide their own latency, so more threads would only spill.
#pragma once

#include "device/fused_shape.h"
#include "device/reduce_scatter.h"
#include "device/small_network.h"
#include "device/tiles.h"
#include "fused_network.h"

namespace rs::gpu {

template <typename Shape, rs_activation A>
__global__ __launch_bounds__(128, kFusedCtasPerMultiprocessor) void fused_gradient_kernel(const FusedGradient task) {
  constexpr int kInputs = Shape::kInputs, kLanes = Shape::kLanes, kUnits = Shape::kUnits;
  constexpr int kThreads = 128, kWarps = kThreads / 32, kGroups = kThreads / kLanes, kTile = 256, kStages = 2;
  constexpr bool kFactored = A == RS_RELU;
  using Gradient = LaneGradient<kInputs, kUnits, A, kFactored>;
  constexpr int kList = ListOf<kInputs, kUnits>::template kLength<32 / kLanes>, kGroupList = kLanes * kList;

  __shared__ __align__(16) float tile_x[kStages][kTile * kInputs];
  __shared__ __align__(16) float tile_y[kStages][kTile];
  __shared__ float sums[kWarps][kGroupList];

  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kLanes, group = thread / kLanes, warp = thread / 32;

  LaneWeights<kInputs, kUnits> weights;
  const SmallLayout layout = {task.inputs, task.hidden};
  weights.load(task.parameters, layout, lane);
  Gradient gradient;
  gradient.clear();

  // The blocks of rows that are this thread block's, as one sequence of tiles: tile k is tile k % block_tiles of
  // the (k / block_tiles)-th block.
  const int64_t stride = gridDim.x, first_block = task.begin + blockIdx.x;
  const int block_tiles = static_cast<int>((task.blocks.rows + kTile - 1) / kTile);
  const auto copy = [&](int stage, int64_t block, int tile) {
    copy_block_tile<kInputs, kTile, kThreads>(task, block, tile, tile_x[stage], tile_y[stage]);
  };

  copy(0, first_block, 0);
  int stage = 0;
  for (int64_t block = first_block; block < task.end; block += stride) {
    const int64_t size = task.blocks.size(block);
    for (int tile = 0; tile < block_tiles; ++tile) {
      wait_copies<0>();
      __syncthreads();  // all see this tile, and all are done with the one before
      const bool last = tile + 1 == block_tiles;
      copy(stage ^ 1, last ? block + stride : block, last ? 0 : tile + 1);

      const int64_t left = size - int64_t{tile} * kTile;
      const int count = left < kTile ? static_cast<int>(left) : kTile;
#pragma unroll 2
      for (int first = 0; first < count; first += kGroups) {
        const int r = first + group;
        float x[kInputs];
        load_row(&tile_x[stage][r * kInputs], x);
        gradient.template add<kLanes>(weights, x, tile_y[stage][r], r < count);
      }
      stage ^= 1;
    }

    // The groups of a warp as a tree, then the warps, in order.
    float list[kList];
    gradient.list(list);
    gradient.clear();
    const int start = lane * kList + reduce_scatter<kLanes>(list, thread);
#pragma unroll
    for (int k = 0; k < kList * kLanes / 32; ++k) sums[warp][start + k] = list[k];
    __syncthreads();
    for (int i = thread; i < kGroupList; i += kThreads) {
      float sum = sums[0][i];
#pragma unroll
      for (int w = 1; w < kWarps; ++w) sum += sums[w][i];
      sums[0][i] = sum;
    }
    __syncthreads();
    const GroupGradient<kInputs, kUnits, kList> total = {sums[0], layout};
    const int length = layout.length();
    float* out = task.block_gradients + (block - task.begin) * length;
    for (int p = thread; p < length; p += kThreads) {
      out[p] = kFactored ? total.at_factored(p, task.loss_weight, task.parameters) : total.at(p, task.loss_weight);
    }
    // The next tile's barrier keeps `sums` until all have read them.
  }
  wait_copies<0>();
}

// ---- launcher ----

template <typename Shape, rs_activation A>
void fused_gradient(const FusedGradient& task, int ctas, cudaStream_t stream) {
  const int64_t blocks = task.end - task.begin;
  if (blocks <= 0) return;
  const dim3 grid(static_cast<unsigned>(blocks < ctas ? blocks : ctas));
  simt::launch(fused_gradient_kernel<Shape, A>, grid, dim3(128), 0, stream, task);
}

}  // namespace rs::gpu
