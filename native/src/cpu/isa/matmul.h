// The three matrix products of a Linear layer, vectors across rows.
//
// Activations lie in columns, feature i of row s at a[i * stride + s]. All tiles keep their sums in
// registers. A tile's shape changes no result: each sum has its own chain of additions.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/simd.h"

namespace rs::cpu::RS_ISA {

// Tile shapes that fill the registers: units by vectors of rows, and gradients by gradients.
#if defined(__AVX512F__)
constexpr int kUnits = 4, kVectors = 4, kSoloVectors = 8, kTileOut = 4, kTileIn = 5, kSoloTileIn = 10;
constexpr bool kBiasBesideWeights = true;  // there are registers left for its sums
#elif defined(__AVX2__)
constexpr int kUnits = 4, kVectors = 1, kSoloVectors = 4, kTileOut = 2, kTileIn = 3, kSoloTileIn = 5;
constexpr bool kBiasBesideWeights = false;
#else
constexpr int kUnits = 2, kVectors = 1, kSoloVectors = 2, kTileOut = 1, kTileIn = 3, kSoloTileIn = 3;
constexpr bool kBiasBesideWeights = false;
#endif

template <int N>
struct Size {
  static constexpr int value = N;
};

// Calls f(Size<n>()) for n in 1..N known only at run time.
template <int N, typename F>
RS_INLINE void with_size(int n, F f) {
  if constexpr (N > 1) {
    if (n < N) return with_size<N - 1>(n, f);
  }
  f(Size<N>());
}

// Calls f(vector count, first row) over `rows`, a multiple of 16, by V vectors and then by single ones.
template <int V, typename F>
RS_INLINE void for_row_vectors(int rows, F f) {
  int s = 0;
  for (; s + V * kLanes <= rows; s += V * kLanes) f(Size<V>(), s);
  for (; s < rows; s += kLanes) f(Size<1>(), s);
}

// ---- forward: h = f(W a + b) ----

template <rs_activation A, int U, int V>
RS_INLINE void forward_tile(const float* weight, const float* bias, int in, const float* a, int stride, float* h) {
  f16 z[U][V];
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) z[u][v] = set1(bias[u]);
  }
  for (int i = 0; i < in; ++i) {
    f16 x[V];
    for (int v = 0; v < V; ++v) x[v] = load(a + i * stride + v * kLanes);
    for (int u = 0; u < U; ++u) {
      const f16 w = set1(weight[static_cast<int64_t>(u) * in + i]);
      for (int v = 0; v < V; ++v) z[u][v] = fma(w, x[v], z[u][v]);
    }
  }
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) store(h + u * stride + v * kLanes, activate<A>(z[u][v]));
  }
}

// weight [out, in], bias [out], a [in][rows], h [out][rows]
template <rs_activation A>
void forward(
    const float* weight, const float* bias, int in, int out, const float* a, int stride, int rows, Ahead& ahead, float* h) {
  int j = 0;
  for_row_vectors<kVectors>(rows, [&](auto vectors, int s) {
    ahead.some();
    for (j = 0; j + kUnits <= out; j += kUnits) {
      forward_tile<A, kUnits, decltype(vectors)::value>(
          weight + static_cast<int64_t>(j) * in, bias + j, in, a + s, stride, h + j * stride + s);
    }
  });
  // A single unit needs more vectors to hide the latency of its chain.
  for (j = out / kUnits * kUnits; j < out; ++j) {
    for_row_vectors<kSoloVectors>(rows, [&](auto vectors, int s) {
      ahead.some();
      forward_tile<A, 1, decltype(vectors)::value>(
          weight + static_cast<int64_t>(j) * in, bias + j, in, a + s, stride, h + j * stride + s);
    });
  }
}

// ---- backward, inputs: a becomes f'(a) * (W^T dz) ----

template <rs_activation A, int U, int V>
RS_INLINE void backward_inputs_tile(
    const float* weight, int in, int out, const float* dz, int stride, float* a) {
  f16 sum[U][V];
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) sum[u][v] = zero();
  }
  for (int j = 0; j < out; ++j) {
    f16 d[V];
    for (int v = 0; v < V; ++v) d[v] = load(dz + j * stride + v * kLanes);
    for (int u = 0; u < U; ++u) {
      const f16 w = set1(weight[static_cast<int64_t>(j) * in + u]);
      for (int v = 0; v < V; ++v) sum[u][v] = fma(w, d[v], sum[u][v]);
    }
  }
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) {
      float* own = a + u * stride + v * kLanes;
      store(own, activation_gradient<A>(sum[u][v], load(own)));
    }
  }
}

// weight [out, in], dz [out][rows], a = f(z) [in][rows], replaced by its own dz
template <rs_activation A>
void backward_inputs(const float* weight, int in, int out, const float* dz, int stride, int rows, Ahead& ahead, float* a) {
  for_row_vectors<kVectors>(rows, [&](auto vectors, int s) {
    ahead.some();
    constexpr int V = decltype(vectors)::value;
    int i = 0;
    for (; i + kUnits <= in; i += kUnits) {
      backward_inputs_tile<A, kUnits, V>(weight + i, in, out, dz + s, stride, a + i * stride + s);
    }
    for (; i < in; ++i) {
      backward_inputs_tile<A, 1, V>(weight + i, in, out, dz + s, stride, a + i * stride + s);
    }
  });
}

// ---- backward, weights: dW += dz a^T, db += dz 1 ----

// Where the sums over rows go. Lanes keeps 16 partial sums a parameter from tile to tile: best for
// few parameters. Totals adds them up at once: for many, whose lanes no cache would hold.
struct Lanes {
  float* sums;  // [parameter][16]
  bool first;   // tile of the block: the sums begin at 0
  RS_INLINE f16 start(int64_t parameter) const { return first ? zero() : load(sums + parameter * kLanes); }
  RS_INLINE void finish(int64_t parameter, const f16& lanes) const { store(sums + parameter * kLanes, lanes); }
};

struct Totals {
  float* sums;  // [parameter]

  RS_INLINE f16 start(int64_t) const { return zero(); }
  RS_INLINE void finish(int64_t parameter, const f16& lanes) const { sums[parameter] += sum(lanes); }
};

// With the bias, or without.
template <int O, int I, bool Bias, typename Sums>
RS_INLINE void backward_weights_tile(
    const float* dz, const float* a, int in, int stride, int rows, int64_t parameter, int64_t bias, Sums sums) {
  f16 g[O][I], b[O];
  for (int o = 0; o < O; ++o) {
    for (int i = 0; i < I; ++i) g[o][i] = sums.start(parameter + static_cast<int64_t>(o) * in + i);
    if constexpr (Bias) b[o] = sums.start(bias + o);
  }
  for (int s = 0; s < rows; s += kLanes) {
    f16 d[O];
    for (int o = 0; o < O; ++o) {
      d[o] = load(dz + o * stride + s);
      if constexpr (Bias) b[o] = b[o] + d[o];
    }
    for (int i = 0; i < I; ++i) {
      const f16 x = load(a + i * stride + s);
      for (int o = 0; o < O; ++o) g[o][i] = fma(d[o], x, g[o][i]);
    }
  }
  for (int o = 0; o < O; ++o) {
    for (int i = 0; i < I; ++i) sums.finish(parameter + static_cast<int64_t>(o) * in + i, g[o][i]);
    if constexpr (Bias) sums.finish(bias + o, b[o]);
  }
}

// Several units at once hide the latency of their chains.
template <int O, typename Sums>
RS_INLINE void backward_bias_tile(const float* dz, int stride, int rows, int64_t parameter, Sums sums) {
  f16 g[O];
  for (int o = 0; o < O; ++o) g[o] = sums.start(parameter + o);
  for (int s = 0; s < rows; s += kLanes) {
    for (int o = 0; o < O; ++o) g[o] = g[o] + load(dz + o * stride + s);
  }
  for (int o = 0; o < O; ++o) sums.finish(parameter + o, g[o]);
}

// O units against all inputs, in tiles of at most I that are as even as can be. The bias goes with the first.
template <int O, int I, typename Sums>
RS_INLINE void backward_weights_units(
    const float* dz, const float* a, int in, int stride, int rows, int64_t parameter, int64_t bias, Sums sums) {
  for (int tiles = (in + I - 1) / I, i = 0; tiles > 0; --tiles) {
    const int width = (in - i + tiles - 1) / tiles;
    with_size<I>(width, [&](auto size) {
      constexpr int N = decltype(size)::value;
      if (kBiasBesideWeights && i == 0) {
        backward_weights_tile<O, N, kBiasBesideWeights>(dz, a, in, stride, rows, parameter, bias, sums);
      } else {
        backward_weights_tile<O, N, false>(dz, a + i * stride, in, stride, rows, parameter + i, bias, sums);
      }
    });
    i += width;
  }
}

// dz [out][rows], a [in][rows]; parameter numbers of weight [out, in] and bias [out]
template <typename Sums>
void backward_weights(
    const float* dz, const float* a, int in, int out, int stride, int rows, int64_t weight, int64_t bias,
    Ahead& ahead, Sums sums) {
  int j = 0;
  for (; j + kTileOut <= out; j += kTileOut) {
    ahead.some();
    backward_weights_units<kTileOut, kTileIn>(
        dz + j * stride, a, in, stride, rows, weight + static_cast<int64_t>(j) * in, bias + j, sums);
  }
  for (; j < out; ++j) {
    ahead.some();
    backward_weights_units<1, kSoloTileIn>(
        dz + j * stride, a, in, stride, rows, weight + static_cast<int64_t>(j) * in, bias + j, sums);
  }
  if constexpr (!kBiasBesideWeights) {
    for (j = 0; j + kUnits <= out; j += kUnits) backward_bias_tile<kUnits>(dz + j * stride, stride, rows, bias + j, sums);
    for (; j < out; ++j) backward_bias_tile<1>(dz + j * stride, stride, rows, bias + j, sums);
  }
}

}  // namespace rs::cpu::RS_ISA
