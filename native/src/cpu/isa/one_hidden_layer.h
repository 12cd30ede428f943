// A tile of rows through a network with one hidden layer and one output, in fewer passes than matmul.h makes: the
// output is added up as the hidden units come, and the units' derivatives are used as they come, without a place in
// memory.
//
// Every sum has the terms and the order that it has in matmul.h, so the bits are the same. For AVX-512 alone: elsewhere
// there are too few registers for it.
#pragma once

#include "cpu/isa/matmul.h"

namespace rs::cpu::RS_ISA {

// Of a network whose gradients by one hidden unit fit into the registers.
constexpr int kMostInputs = 16;

inline bool is_one_hidden_layer(const Pass& pass) {
  const NetworkView& n = pass.network;
  return kParts == 1 && n.count == 2 && n.layers[1].out == 1 && n.layers[0].in <= kMostInputs && !pass.dropout;
}

// ---- forward ----

// U hidden units of V vectors of rows; h is null where nobody needs them.
template <rs_activation A, int U, int V>
RS_INLINE void forward_units(const float* weight, const float* bias, const float* weight2, int in, const float* a,
                             int stride, float* h, f16 (&out)[V]) {
  f16 z[U][V];
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) z[u][v] = set1(bias[u]);
  }
  for (int i = 0; i < in; ++i) {
    f16 x[V];
    for (int v = 0; v < V; ++v) x[v] = load(a + i * stride + v * kLanes);
    for (int u = 0; u < U; ++u) {
      const f16 w = set1(weight[u * in + i]);
      for (int v = 0; v < V; ++v) z[u][v] = fma(w, x[v], z[u][v]);
    }
  }
  for (int u = 0; u < U; ++u) {
    for (int v = 0; v < V; ++v) {
      const f16 unit = activate<A>(z[u][v]);
      if (h) store(h + u * stride + v * kLanes, unit);
      out[v] = fma(set1(weight2[u]), unit, out[v]);
    }
  }
}

// a [in][rows], h [hidden][rows] or null, out [rows]
template <rs_activation A>
void forward_one_hidden_layer(const Pass& pass, const float* a, int stride, int rows, Ahead& ahead, float* h, float* out) {
  const Layer &hidden = pass.network.layers[0], &output = pass.network.layers[1];
  const float* weight = pass.parameters + hidden.weight;
  const float* bias = pass.parameters + hidden.bias;
  const float* weight2 = pass.parameters + output.weight;
  const int in = hidden.in, units = hidden.out;
  for_row_vectors<kVectors>(rows, [&](auto vectors, int s) {
    constexpr int V = decltype(vectors)::value;
    ahead.some();
    f16 total[V];
    for (int v = 0; v < V; ++v) total[v] = set1(pass.parameters[output.bias]);
    const auto run = [&](auto size, int j) {
      forward_units<A, decltype(size)::value, V>(
          weight + j * in, bias + j, weight2 + j, in, a + s, stride, h ? h + j * stride + s : nullptr, total);
    };
    int j = 0;
    for (; j + kUnits <= units; j += kUnits) run(Size<kUnits>(), j);
    for (; j < units; ++j) run(Size<1>(), j);
    for (int v = 0; v < V; ++v) store(out + s + v * kLanes, total[v]);
  });
}

// ---- backward ----

// Where the sums of some hidden units lie: their weights and biases, and the output's weights by them.
struct UnitSums {
  int64_t weight, bias, weight2;
};

template <rs_activation A, int U, int I>
RS_INLINE void backward_units(const float* d, const float* a, const float* h, const float* weight2, int stride, int rows,
                              UnitSums at, Lanes sums) {
  f16 w1[U][I], b1[U], w2[U];
  unrolled<U>([&](auto u_) {
    constexpr int u = decltype(u_)::value;
    unrolled<I>([&](auto i) { w1[u][decltype(i)::value] = sums.start(at.weight + u * I + decltype(i)::value); });
    b1[u] = sums.start(at.bias + u);
    w2[u] = sums.start(at.weight2 + u);
  });
  for (int s = 0; s < rows; s += kLanes) {
    const f16 error = load(d + s);
    f16 dz[U];
    unrolled<U>([&](auto u_) {
      constexpr int u = decltype(u_)::value;
      const f16 unit = load(h + u * stride + s);
      w2[u] = fma(error, unit, w2[u]);
      dz[u] = activation_gradient<A>(set1(weight2[u]) * error, unit);
      b1[u] = b1[u] + dz[u];
    });
    unrolled<I>([&](auto i_) {
      constexpr int i = decltype(i_)::value;
      const f16 x = in_registers(load(a + i * stride + s));
      unrolled<U>([&](auto u) { w1[decltype(u)::value][i] = fma(dz[decltype(u)::value], x, w1[decltype(u)::value][i]); });
    });
  }
  unrolled<U>([&](auto u_) {
    constexpr int u = decltype(u_)::value;
    unrolled<I>([&](auto i) { sums.finish(at.weight + u * I + decltype(i)::value, w1[u][decltype(i)::value]); });
    sums.finish(at.bias + u, b1[u]);
    sums.finish(at.weight2 + u, w2[u]);
  });
}

// d [rows], the derivatives by the outputs; a [I][rows] and h [hidden][rows] as the forward pass left them.
template <rs_activation A, int I>
__attribute__((noinline)) void backward_one_hidden_layer(const Pass& pass, const float* d, const float* a, const float* h,
                                                         int stride, int rows, Ahead& ahead, Lanes sums) {
  constexpr int U = I <= 4 ? 4 : I <= 10 ? 2 : 1;  // each has I + 2 sums
  const Layer &hidden = pass.network.layers[0], &output = pass.network.layers[1];
  const float* weight2 = pass.parameters + output.weight;
  const auto run = [&](auto size, int j) {
    ahead.some();
    const UnitSums at = {hidden.weight + j * I, hidden.bias + j, output.weight + j};
    backward_units<A, decltype(size)::value, I>(d, a, h + j * stride, weight2 + j, stride, rows, at, sums);
  };
  int j = 0;
  for (; j + U <= hidden.out; j += U) run(Size<U>(), j);
  if constexpr (U > 1) {
    for (; j < hidden.out; ++j) run(Size<1>(), j);
  }
  backward_bias_tile<1>(d, stride, rows, output.bias, sums);
}

}  // namespace rs::cpu::RS_ISA
