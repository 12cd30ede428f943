// fused_gradient with its two large products, W1 x and dz x^T, in TF32 on tensor cores: factors rounded to 10 bits
// of mantissa, sums in float32. Everything else is float32. From compute capability 8.0 on.
//
//   task.rows.x          [*, inputs]     read once, through shared memory
//   task.rows.y          [*]             read once, likewise
//   task.parameters      [parameters]    read once by each thread block, then kept in registers
//   task.block_gradients [blocks][gradient length]  written once
//
// A warp takes 8 samples at a time. With g = lane / 4 and t = lane % 4, and tensor cores that multiply a [16, 8] by
// b [8, 8] (tf32.h):
//
//   z^T [hidden, samples] = W1 [hidden, features] . x^T [features, samples]      bias1 is the weight of a feature 1
//   dW1 [hidden, features] += dz^T [hidden, samples] . x [samples, features]     its column for that feature is db1
//
// Of z^T a lane gets hidden units g and g + 8 for samples 2t and 2t + 1. As a of the second product it must hold units
// g and g + 8 for samples t and t + 4. But a sum over samples may take them in any order: with sample 2t as the t-th
// and 2t + 1 as the (t + 4)-th, what a lane has is what it must have. So nothing moves between lanes but the sums of
// the 8 outputs, and dW1 stays in the tensor cores' accumulators: 16 registers a lane for 10 inputs and 20 units.
//
// Blocks, tiles and the order of the sums over warps are fused_gradient's.
#pragma once

#include "device/fused_shape.h"
#include "device/small_network.h"
#include "device/tf32.h"
#include "device/tiles.h"
#include "fused_network.h"

namespace rs::gpu {

template <typename Shape, rs_activation A>
__global__ __launch_bounds__(128, 3) void fused_gradient_tf32_kernel(const FusedGradient task) {
  constexpr int kInputs = Shape::kInputs, kHidden = Shape::kHidden, kFeatures = kInputs + 1;
  constexpr int kThreads = 128, kWarps = kThreads / 32, kTile = 256;
  constexpr bool kFactored = A == RS_RELU;  // see LaneGradient
  constexpr int kRowTiles = (kHidden + 15) / 16;        // of 16 hidden units
  constexpr int kHalves = (kHidden + 7) / 8;            // of row tiles, those that have units
  constexpr int kColumnTiles = (kFeatures + 7) / 8;     // of 8 features
  constexpr int kColumns = 8 * kColumnTiles, kUnits = 16 * kRowTiles;
  constexpr int kWeight2 = kUnits * kColumns, kBias2 = kWeight2 + kUnits, kLoss = kBias2 + 1;  // in `sums`

  __shared__ __align__(16) float tile_x[2][kTile * kInputs];
  __shared__ __align__(16) float tile_y[2][kTile];
  __shared__ float sums[kWarps][kLoss + 1];  // dW1 with db1 [kUnits][kColumns], dW2 [kUnits], db2, the loss

  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  const int g = thread % 32 / 4, t = thread % 4;
  const SmallLayout layout = {task.inputs, task.hidden};

  // Rows of W1 with bias1 as a holds them, and the weights of units g + 8 half.
  uint32_t weight1[kRowTiles][kColumnTiles][4];
  float weight2[kHalves];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int unit = 16 * m + g + k % 2 * 8, feature = 8 * n + t + k / 2 * 4;
        float w = 0;
        if (unit < layout.hidden && feature < layout.inputs) w = task.parameters[unit * layout.inputs + feature];
        if (unit < layout.hidden && feature == kInputs) w = task.parameters[layout.bias1() + unit];
        weight1[m][n][k] = to_tf32(w);
      }
    }
  }
#pragma unroll
  for (int half = 0; half < kHalves; ++half) {
    const int unit = 8 * half + g;
    weight2[half] = unit < layout.hidden ? task.parameters[layout.weight2() + unit] : 0.0f;
  }
  const float bias2 = task.parameters[layout.bias2()];

  float gradient1[kRowTiles][kColumnTiles][4], gradient2[kHalves], gradient_bias2, loss;
  const auto clear = [&] {
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
        for (int k = 0; k < 4; ++k) gradient1[m][n][k] = 0;
      }
    }
#pragma unroll
    for (int half = 0; half < kHalves; ++half) gradient2[half] = 0;
    gradient_bias2 = loss = 0;
  };
  clear();

  // Feature f of a row; the first beyond the inputs is 1, for the bias.
  const auto feature = [&](const float* row, int f) {
    const float x = row[f < kInputs ? f : 0];
    return to_tf32(f < kInputs ? x : f == kInputs ? 1.0f : 0.0f);
  };

  const auto add = [&](const float* x, const float* y, int first, int count) {  // rows [first, first + 8)
    float z[kRowTiles][4];
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      const float* row = x + (first + g) * kInputs;
      const uint32_t b[2] = {feature(row, 8 * n + t), 8 * n + 4 <= kInputs ? feature(row, 8 * n + t + 4) : 0};
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        if (n == 0) {
          mma_tf32_from_zero(z[m], weight1[m][n], b);
        } else {
          mma_tf32(z[m], weight1[m][n], b);
        }
      }
    }

    // For unit g + 8 half: [half][sample 2t or 2t + 1].
    float h[kHalves][2], products[2] = {0, 0};
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        h[half][s] = activate<A>(z[half / 2][half % 2 * 2 + s]);
        products[s] = half == 0 ? weight2[0] * h[0][s] : fmaf(weight2[half], h[half][s], products[s]);
      }
    }
    float d[2];
#pragma unroll
    for (int s = 0; s < 2; ++s) {
#pragma unroll
      for (int apart = 4; apart < 32; apart *= 2) products[s] += __shfl_xor_sync(0xFFFFFFFF, products[s], apart);
      float e = products[s] + (bias2 - y[first + 2 * t + s]);
      e = first + 2 * t + s < count ? e : 0.0f;
      loss = fmaf(e, e, loss);
      d[s] = kFactored ? e : e + e;
      gradient_bias2 += d[s];
    }

    uint32_t dz[kRowTiles][4];
#pragma unroll
    for (int half = 0; half < 2 * kRowTiles; ++half) {
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        uint32_t& to = dz[half / 2][half % 2 + 2 * s];  // of a: units g, g + 8 for sample t, then for t + 4
        if (half < kHalves) {
          const int own = half < kHalves ? half : 0;
          if (kFactored) {
            to = to_tf32(h[own][s] <= 0 ? 0.0f : d[s]);
          } else {
            gradient2[own] = fmaf(d[s], h[own][s], gradient2[own]);
            to = to_tf32(activation_gradient<A>(d[s] * weight2[own], h[own][s]));
          }
        } else {
          to = 0;
        }
      }
    }
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      const float* row = x + (first + 2 * t) * kInputs;
      const uint32_t b[2] = {feature(row, 8 * n + g), feature(row + kInputs, 8 * n + g)};
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) mma_tf32(gradient1[m][n], dz[m], b);
    }
  };

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
      for (int first = 0; first < count; first += 8 * kWarps) {
        add(tile_x[stage], tile_y[stage], first + 8 * warp, count);
      }
      stage ^= 1;
    }

    // A warp's sums are whole but for what the lanes t have of their samples. Then the warps, in order.
    float* own = sums[warp];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          own[(16 * m + g + k / 2 * 8) * kColumns + 8 * n + 2 * t + k % 2] = gradient1[m][n][k];
        }
      }
    }
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
      const float sum = sum_over_group<4>(gradient2[half]);
      if (t == 0) own[kWeight2 + 8 * half + g] = sum;
    }
    const float sum_bias2 = sum_over_group<4>(gradient_bias2), sum_loss = sum_over_group<4>(loss);
    if (thread % 32 == 0) {
      own[kBias2] = sum_bias2;
      own[kLoss] = sum_loss;
    }
    clear();
    __syncthreads();
    for (int i = thread; i <= kLoss; i += kThreads) {
      float sum = sums[0][i];
#pragma unroll
      for (int w = 1; w < kWarps; ++w) sum += sums[w][i];
      sums[0][i] = sum;
    }
    __syncthreads();
    const int length = layout.length();
    float* out = task.block_gradients + (block - task.begin) * length;
    for (int p = thread; p < length; p += kThreads) {
      float value = 0;
      if (p < layout.weight2()) {
        const bool is_bias = p >= layout.bias1();
        const int j = is_bias ? p - layout.bias1() : p / layout.inputs;
        value = sums[0][j * kColumns + (is_bias ? kInputs : p % layout.inputs)];
        if (kFactored) {
          const float w = task.parameters[layout.weight2() + j];
          value *= w + w;
        }
      } else if (p < layout.bias2()) {
        const int j = p - layout.weight2();
        value = sums[0][kWeight2 + j];
        if (kFactored) {
          value = task.parameters[layout.bias1() + j] * sums[0][j * kColumns + kInputs];
          for (int i = 0; i < layout.inputs; ++i) {
            value = fmaf(task.parameters[j * layout.inputs + i], sums[0][j * kColumns + i], value);
          }
          value += value;
        }
      } else if (p == layout.bias2()) {
        value = kFactored ? sums[0][kBias2] + sums[0][kBias2] : sums[0][kBias2];
      } else if (p == layout.loss()) {
        value = task.loss_weight * sums[0][kLoss];
      }
      out[p] = value;
    }
    // The next tile's barrier keeps `sums` until all have read them.
  }
  wait_copies<0>();
}

// ---- launcher ----

template <typename Shape, rs_activation A>
void fused_gradient_tf32(const FusedGradient& task, int ctas, cudaStream_t stream) {
  const int64_t blocks = task.end - task.begin;
  if (blocks <= 0) return;
  const dim3 grid(static_cast<unsigned>(blocks < ctas ? blocks : ctas));
  simt::launch(fused_gradient_tf32_kernel<Shape, A>, grid, dim3(128), 0, stream, task);
}

}  // namespace rs::gpu
