// The inner part of the three matrix products of the layered path: a block of 16 x 16 threads computes a tile
// of the result, each thread T x T elements of it in registers. The operands pass through shared memory in
// slabs of 16 along the summed dimension.
//
// Every element is one chain of fmaf in the order of the summed dimension, whatever T is: the size of the tile
// changes no bit.
#pragma once

#include <cstdint>

#include "device.h"
#include "simt.h"

namespace rs::gpu {

constexpr int kTileSide = 16;  // threads of a block: kTileSide x kTileSide
constexpr int kTileThreads = kTileSide * kTileSide;
constexpr int kSlab = 16;

template <int T>
struct MatmulTile {
  static constexpr int kSize = kTileSide * T;  // rows and columns of the tile

  // A slab of each operand, the summed dimension first. Four more floats a row leave rows at multiples of 16
  // bytes and put those that a warp stores at once on different banks, or two on one.
  struct Shared {
    __align__(16) float a[kSlab][kSize + 4];
    __align__(16) float b[kSlab][kSize + 4];
  };

  float sum[T][T];  // of rows T * threadIdx.y + 0 ... and columns T * threadIdx.x + 0 ... of the tile

  static __device__ int row() { return T * static_cast<int>(threadIdx.y); }
  static __device__ int column() { return T * static_cast<int>(threadIdx.x); }

  __device__ void clear() {
#pragma unroll
    for (int r = 0; r < T; ++r) {
#pragma unroll
      for (int c = 0; c < T; ++c) sum[r][c] = 0;
    }
  }

  // sum += a^T b over one slab.
  __device__ void accumulate(const Shared& shared) {
#pragma unroll
    for (int k = 0; k < kSlab; ++k) {
      float a[T], b[T];
      load(&shared.a[k][row()], a);
      load(&shared.b[k][column()], b);
#pragma unroll
      for (int r = 0; r < T; ++r) {
#pragma unroll
        for (int c = 0; c < T; ++c) sum[r][c] = fmaf(a[r], b[c], sum[r][c]);
      }
    }
  }

  // Stores one of the thread's rows, of which `count` columns lie within the matrix.
  static __device__ void store(float* to, const float (&values)[T], int64_t count) {
    if constexpr (T == 4) {
      if (count >= 4 && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
        *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
        return;
      }
    }
#pragma unroll
    for (int c = 0; c < T; ++c) {
      if (c < count) to[c] = values[c];
    }
  }

 private:
  static __device__ void load(const float* from, float (&values)[T]) {
    if constexpr (T == 4) {
      const float4 v = *reinterpret_cast<const float4*>(from);
      values[0] = v.x, values[1] = v.y, values[2] = v.z, values[3] = v.w;
    } else {
#pragma unroll
      for (int i = 0; i < T; ++i) values[i] = from[i];
    }
  }
};

// The least T whose tile holds `width` in one go, 4 at most.
inline int tile_of(int64_t width) { return width <= kTileSide ? 1 : width <= 2 * kTileSide ? 2 : 4; }

// Tiles that cover `count` rows or columns. All tiles of a matrix fit into 31 bits, as a grid must, and a
// division of 32 bits is a few instructions where one of 64 is a call.
template <int T>
RS_HOST_DEVICE constexpr unsigned tiles(int64_t count) {
  return static_cast<unsigned>((count + MatmulTile<T>::kSize - 1) / MatmulTile<T>::kSize);
}

// Both loaders fill slab[k][i] for the tile's i and the slab's k with the matrix's value at (first_i + i,
// first_k + k), or 0 beyond its ends. Adjacent threads read adjacent addresses.

// matrix [count_i, count_k]: the summed dimension is the inner one.
template <int T>
__device__ void load_slab_by_rows(float (&slab)[kSlab][MatmulTile<T>::kSize + 4], const float* matrix, int64_t first_i,
                                  int64_t count_i, int64_t first_k, int64_t count_k) {
  const int thread = static_cast<int>(threadIdx.y * kTileSide + threadIdx.x);
#pragma unroll
  for (int e = 0; e < T; ++e) {
    const int k = thread % kSlab, i = thread / kSlab + e * (kTileThreads / kSlab);
    const bool inside = first_i + i < count_i && first_k + k < count_k;
    slab[k][i] = inside ? matrix[(first_i + i) * count_k + first_k + k] : 0.0f;
  }
}

// matrix [count_k, count_i]: the summed dimension is the outer one.
template <int T>
__device__ void load_slab_by_columns(float (&slab)[kSlab][MatmulTile<T>::kSize + 4], const float* matrix,
                                     int64_t first_i, int64_t count_i, int64_t first_k, int64_t count_k) {
  const int thread = static_cast<int>(threadIdx.y * kTileSide + threadIdx.x);
#pragma unroll
  for (int e = 0; e < T; ++e) {
    const int element = thread + e * kTileThreads;
    const int i = element % MatmulTile<T>::kSize, k = element / MatmulTile<T>::kSize;
    const bool inside = first_i + i < count_i && first_k + k < count_k;
    slab[k][i] = inside ? matrix[(first_k + k) * count_i + first_i + i] : 0.0f;
  }
}

}  // namespace rs::gpu
