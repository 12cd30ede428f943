// Small networks with one hidden layer and one output, row after row: forward, and whole steps of plain
// SGD, at batch 1 many in one loop with the weights in registers, vectors across hidden units.
//
// Each operation, and the order of additions, is that of the row path followed by the update, so the
// bits are the same.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/find_rows.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/loss.h"
#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

// The same pointer, but what it points to is loaded anew: kept from its last use, the inputs would push
// weights out of the registers.
RS_INLINE const float* read_again(const float* p) {
  __asm__ volatile("" : "+r"(p));
  return p;
}

// x[0] w[0] + x[1] w[1] + ... in the order of simd.h's sum over lanes: N terms whose lanes are
// First, First + Stride, ...
template <int Inputs, int First, int Stride>
RS_INLINE f16 tree(const f16* w, const float* x) {
  if constexpr (Stride == kLanes) {
    return set1(x[First]) * w[First];
  } else if constexpr (First + Stride < Inputs) {
    return tree<Inputs, First, 2 * Stride>(w, x) + tree<Inputs, First + Stride, 2 * Stride>(w, x);
  } else {
    return tree<Inputs, First, 2 * Stride>(w, x);
  }
}

// Inputs x 16 V hidden units; those beyond the network's own have weights 0 and stay so.
template <int Inputs, int V, rs_activation A>
struct Registers {
  f16 weight1[V][Inputs];
  f16 bias1[V];
  f16 weight2[V];
  f16 hidden[V];  // 1 for the network's own units, 0 beyond
  float bias2;

  // Where weights lie when packed, in vectors: for each V those of weight1, then the other three.
  static constexpr int kPackedVectors = Inputs + 3;

  RS_INLINE void load_from(const float* packed) {
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      const float* p = packed + v * kPackedVectors * kLanes;
      unrolled<Inputs>([&](auto i) { weight1[v][decltype(i)::value] = load(p + decltype(i)::value * kLanes); });
      bias1[v] = load(p + Inputs * kLanes);
      weight2[v] = load(p + (Inputs + 1) * kLanes);
      hidden[v] = load(p + (Inputs + 2) * kLanes);
    });
    bias2 = packed[V * kPackedVectors * kLanes];
  }

  RS_INLINE void store_to(float* packed) const {
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      float* p = packed + v * kPackedVectors * kLanes;
      unrolled<Inputs>([&](auto i) { store(p + decltype(i)::value * kLanes, weight1[v][decltype(i)::value]); });
      store(p + Inputs * kLanes, bias1[v]);
      store(p + (Inputs + 1) * kLanes, weight2[v]);
    });
    packed[V * kPackedVectors * kLanes] = bias2;
  }

  // The output; h receives the hidden units.
  RS_INLINE float forward(const float* x, f16 (&h)[V]) const { return sum(hidden_products(x, h)) + bias2; }

  RS_INLINE f16 hidden_products(const float* x, f16 (&h)[V]) const {
    f16 products;
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      h[v] = activate<A>(tree<Inputs, 0, 1>(weight1[v], read_again(x)) + bias1[v]);
      // Only the sigmoid makes something of nothing.
      if constexpr (A == RS_SIGMOID) h[v] = h[v] * hidden[v];
      products = v == 0 ? h[v] * weight2[v] : fma(h[v], weight2[v], products);
    });
    return products;
  }

  // Returns the loss; where it is not finite, nothing has changed.
  RS_INLINE float step(const float* x, float y, float lr, float loss_weight) {
    f16 h[V];
    // One number, but in all lanes, where it is needed next.
    const vec out = sum_everywhere(hidden_products(x, h)) + set1_part(bias2), target = set1_part(y);
    const vec e = out - target;
    const float loss = loss_weight * (e[0] * e[0]);
    if (!(loss < __builtin_inff())) return loss;

    // 2 out - 2 y, rounded once, is e + e, and need not wait for e. Only where 2 y overflows is it not.
    const vec twice = target + target;
    vec dd = fma_part(out, set1_part(2.0f), -twice);
    if (__builtin_expect(!(__builtin_fabsf(twice[0]) < __builtin_inff()), 0)) dd = e + e;
    const f16 d = each([&](int) { return dd; });
    const f16 descent = set1(-lr);
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      const f16 dz = activation_gradient<A>(d * weight2[v], h[v]);
      weight2[v] = fma(descent, d * h[v], weight2[v]);
      bias1[v] = fma(descent, dz, bias1[v]);
      const float* inputs = read_again(x);
      unrolled<Inputs>([&](auto i_) {
        constexpr int i = decltype(i_)::value;
        weight1[v][i] = fma(descent, dz * set1(inputs[i]), weight1[v][i]);
      });
    });
    bias2 = fma(-lr, dd[0], bias2);
    return loss;
  }

  // In the place of the weights: the sums of their gradients over rows, of which this is one more, or the first. `d` is
  // the derivative by its output.
  template <bool First>
  RS_INLINE void add_gradient(const f16 (&output_weight)[V], const f16 (&h)[V], const float* x, float d) {
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      const f16 dz = activation_gradient<A>(set1(d) * output_weight[v], h[v]);
      weight2[v] = First ? set1(d) * h[v] : fma(set1(d), h[v], weight2[v]);
      bias1[v] = First ? dz : bias1[v] + dz;
      const float* inputs = read_again(x);
      unrolled<Inputs>([&](auto i_) {
        constexpr int i = decltype(i_)::value;
        weight1[v][i] = First ? dz * set1(inputs[i]) : fma(dz, set1(inputs[i]), weight1[v][i]);
      });
    });
    bias2 = First ? d : bias2 + d;
  }

  RS_INLINE void descend(const Registers& gradient, float lr, float scale) {
    const f16 descent = set1(-lr), mean = set1(scale);
    unrolled<V>([&](auto v_) {
      constexpr int v = decltype(v_)::value;
      weight2[v] = fma(descent, gradient.weight2[v] * mean, weight2[v]);
      bias1[v] = fma(descent, gradient.bias1[v] * mean, bias1[v]);
      unrolled<Inputs>([&](auto i_) {
        constexpr int i = decltype(i_)::value;
        weight1[v][i] = fma(descent, gradient.weight1[v][i] * mean, weight1[v][i]);
      });
    });
    bias2 = fma(-lr, gradient.bias2 * scale, bias2);
  }
};

template <int Inputs, int V, rs_activation A>
struct SmallNetworkOf {
  static constexpr int64_t kVectorLength = Registers<Inputs, V, A>::kPackedVectors * kLanes;
  static constexpr int64_t kLength = V * kVectorLength + kLanes;

  // Where hidden unit j's weight from input i lies; i = Inputs is its bias, then come its weight to
  // the output and its mark.
  static int64_t place(int j, int i) { return j / kLanes * kVectorLength + i * kLanes + j % kLanes; }

  template <typename F>
  static void for_parameters(const NetworkView& n, F f) {
    for (int j = 0; j < n.layers[0].out; ++j) {
      for (int i = 0; i < Inputs; ++i) f(n.layers[0].weight + j * Inputs + i, place(j, i));
      f(n.layers[0].bias + j, place(j, Inputs));
      f(n.layers[1].weight + j, place(j, Inputs + 1));
    }
    f(n.layers[1].bias, V * kVectorLength);
  }

  static void pack(const NetworkView& n, const float* parameters, float* packed) {
    int64_t order[kLanes];
    for (int j = 0; j < kLanes; ++j) order[j] = j;
    for (int v = 0; v < V; ++v) {
      const int first = v * kLanes, left = n.layers[0].out - first, units = left < kLanes ? left : kLanes;
      float* p = packed + v * kVectorLength;
      load_columns(parameters + n.layers[0].weight + first * Inputs, Inputs, order, true, units, kLanes, p);
      store(p + Inputs * kLanes, load_first(parameters + n.layers[0].bias + first, units));
      store(p + (Inputs + 1) * kLanes, load_first(parameters + n.layers[1].weight + first, units));
      store(p + (Inputs + 2) * kLanes, first_lanes(set1(1), units));
    }
    store(packed + V * kVectorLength, first_lanes(set1(parameters[n.layers[1].bias]), 1));
  }

  static void unpack(const NetworkView& n, const float* packed, float* parameters) {
    for_parameters(n, [&](int64_t flat, int64_t place) { parameters[flat] = packed[place]; });
  }

  static void predict(const NetworkView&, const float* packed, const float* x, int64_t count, float* y) {
    Registers<Inputs, V, A> network;
    network.load_from(packed);
    for (int64_t r = 0; r < count; ++r) {
      f16 h[V];
      y[r] = network.forward(x + r * Inputs, h);
    }
  }

  // A function of its own, so that the registers are the weights'.
  __attribute__((noinline)) static int train_tile(float* packed, const float* x, const float* y, const int64_t* index,
                                                int count, float lr, float loss_weight, double* loss_sum,
                                                float* last_loss) {
    Registers<Inputs, V, A> network;
    network.load_from(packed);
    double total = *loss_sum;
    float loss = 0;
    int step = 0;
    for (; step < count; ++step) {
      loss = network.step(x + index[step] * Inputs, y[index[step]], lr, loss_weight);
      if (!(loss < __builtin_inff())) break;
      total += loss;
    }
    network.store_to(packed);
    *loss_sum = total;
    *last_loss = loss;
    return step;
  }

  static int64_t train(const NetworkView&, float* packed, const Rows& rows, int64_t count, float lr, float loss_weight,
                     double* loss_sum, float* last_loss) {
    for (int64_t step = 0; step < count; step += kTileRows) {
      int64_t index[kTileRows];
      const int some = count - step < kTileRows ? static_cast<int>(count - step) : kTileRows;
      find_rows(rows, step, some, index);
      const int done = train_tile(packed, rows.x, rows.y, index, some, lr, loss_weight, loss_sum, last_loss);
      if (done < some) return step + done;
    }
    return count;
  }

  // Some rows of a batch, at most kLanes: first all forward, then all backward, so that either has the registers.
  struct Chunk {
    const float* x;
    const int64_t* index;
    int count;
    alignas(64) float hidden[kLanes][V * kLanes];
    alignas(64) float outputs[kLanes];  // then the derivatives by them
  };

  __attribute__((noinline)) static void forward(const float* packed, Chunk& c) {
    Registers<Inputs, V, A> network;
    network.load_from(packed);
    for (int r = 0; r < c.count; ++r) {
      f16 h[V];
      c.outputs[r] = network.forward(c.x + c.index[r] * Inputs, h);
      for (int v = 0; v < V; ++v) store(c.hidden[r] + v * kLanes, h[v]);
    }
  }

  __attribute__((noinline)) static void backward(const float* packed, const Chunk& c, bool first, float* packed_sums) {
    Registers<Inputs, V, A> sums;
    f16 output_weight[V];
    for (int v = 0; v < V; ++v) output_weight[v] = load(packed + v * kVectorLength + (Inputs + 1) * kLanes);
    const auto add = [&](auto is_first, int r) {
      f16 h[V];
      for (int v = 0; v < V; ++v) h[v] = load(c.hidden[r] + v * kLanes);
      sums.template add_gradient<decltype(is_first)::value>(output_weight, h, c.x + c.index[r] * Inputs, c.outputs[r]);
    };
    if (first) {
      add(Index<1>(), 0);
    } else {
      sums.load_from(packed_sums);
      add(Index<0>(), 0);
    }
    for (int r = 1; r < c.count; ++r) add(Index<0>(), r);
    sums.store_to(packed_sums);
  }

  // The gradients' sums over the rows. errors(chunk) puts the derivatives in place of the outputs.
  template <typename F>
  static void sum_gradients(const float* packed, const Rows& rows, int64_t count, float* packed_sums, F errors) {
    int64_t index[kTileRows];
    find_rows(rows, 0, static_cast<int>(count), index);
    Chunk c;
    for (int64_t r = 0; r < count; r += kLanes) {
      c.x = rows.x;
      c.index = index + r;
      c.count = count - r < kLanes ? static_cast<int>(count - r) : kLanes;
      forward(packed, c);
      errors(c);
      backward(packed, c, r == 0, packed_sums);
    }
  }

  // The squared errors' part of the loss; the errors' derivatives in place of the outputs.
  static float squares(const float* y, float loss_weight, float loss, Chunk& c) {
    for (int r = 0; r < c.count; ++r) {
      const float e = c.outputs[r] - y[c.index[r]];
      loss += loss_weight * (e * e);
      c.outputs[r] = e + e;
    }
    return loss;
  }

  // The same of any loss, and the sum of the samples' weights.
  static float losses(const Pass& pass, const float* y, float loss, float* weight_sum, Chunk& c) {
    alignas(64) float targets[kLanes] = {}, weights[kLanes] = {}, own[kLanes] = {};
    for (int r = 0; r < c.count; ++r) {
      targets[r] = y[c.index[r]];
      if (pass.sample_weights) weights[r] = pass.sample_weights[c.index[r]];
    }
    tile_losses(pass.loss, c.outputs, targets, pass.sample_weights ? weights : nullptr, 1, c.count, kLanes, own);
    for (int r = 0; r < c.count; ++r) {
      loss += pass.loss_weights[0] * own[r];
      *weight_sum += weights[r];
    }
    return loss;
  }

  static float train_batch(const NetworkView&, float* packed, const Rows& rows, int64_t count, float lr, float loss_weight) {
    alignas(64) float packed_sums[kLength];
    float loss = 0;
    sum_gradients(packed, rows, count, packed_sums, [&](Chunk& c) { loss = squares(rows.y, loss_weight, loss, c); });
    if (!(loss < __builtin_inff())) return loss;
    Registers<Inputs, V, A> network, sums;
    network.load_from(packed);
    sums.load_from(packed_sums);
    network.descend(sums, lr, static_cast<float>(1 / static_cast<double>(count)));
    network.store_to(packed);
    return loss;
  }

  static void gradient(const Pass& pass, const float* packed, const Rows& rows, int64_t count, float* gradient) {
    alignas(64) float packed_sums[kLength];
    float loss = 0, weight_sum = 0;
    sum_gradients(packed, rows, count, packed_sums, [&](Chunk& c) {
      loss = is_plain_mse(pass) ? squares(rows.y, pass.loss_weights[0], loss, c) : losses(pass, rows.y, loss, &weight_sum, c);
    });
    unpack(pass.network, packed_sums, gradient);
    gradient[pass.network.parameter_count] = loss;
    gradient[pass.network.parameter_count + 1] = weight_sum;
  }

  static constexpr SmallNetwork kTable = {kLength, &pack, &unpack, &predict, &train, &train_batch, &gradient};
};

// The shapes there are: these numbers of inputs, up to 32 hidden units, every activation.
template <int V, rs_activation A>
const SmallNetwork* small_network_for_inputs(int inputs) {
  switch (inputs) {
    case 1: return &SmallNetworkOf<1, V, A>::kTable;
    case 2: return &SmallNetworkOf<2, V, A>::kTable;
    case 4: return &SmallNetworkOf<4, V, A>::kTable;
    case 8: return &SmallNetworkOf<8, V, A>::kTable;
    case 10: return &SmallNetworkOf<10, V, A>::kTable;
    case 12: return &SmallNetworkOf<12, V, A>::kTable;
    case 16: return &SmallNetworkOf<16, V, A>::kTable;
    default: return nullptr;
  }
}

template <rs_activation A>
const SmallNetwork* small_network_for(const NetworkView& n) {
  if (n.count != 2 || n.layers[1].out != 1) return nullptr;
  const int inputs = n.layers[0].in, hidden = n.layers[0].out;
  if (hidden <= kLanes) return small_network_for_inputs<1, A>(inputs);
  if (hidden <= 2 * kLanes) return small_network_for_inputs<2, A>(inputs);
  return nullptr;
}

}  // namespace rs::cpu::RS_ISA
