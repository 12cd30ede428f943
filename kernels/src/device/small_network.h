// A network with one hidden layer and one output, spread over the lanes of a group: each lane owns a few hidden
// units, with their weights and their share of the gradient in its registers.
//
// The parameters lie in the flat vector as PyTorch has them, which is also the order of a gradient vector:
//   weight1 [hidden, inputs], bias1 [hidden], weight2 [hidden], bias2, and in a gradient then the loss sum
#pragma once

#include <cstdint>

#include "device/activation.h"
#include "simt.h"

namespace rs::gpu {

struct SmallLayout {
  int inputs, hidden;

  __device__ int bias1() const { return hidden * inputs; }
  __device__ int weight2() const { return bias1() + hidden; }
  __device__ int bias2() const { return weight2() + hidden; }
  __device__ int loss() const { return bias2() + 1; }           // = the number of parameters
  __device__ int length() const { return (loss() + 16) / 16 * 16; }  // of a gradient vector
};

// How what a lane has for its units is listed: of each unit weight1, bias1 and weight2, then bias2 and the loss.
// kLength is that, rounded up so that the list can be halved once for each bit of the groups in a warp.
template <int kInputs, int kUnits>
struct ListOf {
  static constexpr int kUnit = kInputs + 2, kBias2 = kUnits * kUnit, kLoss = kBias2 + 1;

  template <int kMultiple>
  static constexpr int kLength = (kLoss + kMultiple) / kMultiple * kMultiple;

  // The parameter that place k of a lane's list stands for, or -1.
  __device__ __forceinline__ static int parameter_at(SmallLayout layout, int lane, int k) {
    if (k == kBias2) return layout.bias2();
    const int unit = lane * kUnits + k / kUnit, part = k % kUnit;
    if (k > kBias2 || unit >= layout.hidden) return -1;
    if (part == kInputs) return layout.bias1() + unit;
    if (part > kInputs) return layout.weight2() + unit;
    return part < layout.inputs ? unit * layout.inputs + part : -1;
  }
};

// A lane's units: unit u of lane q is the network's hidden unit q * kUnits + u. Units and inputs beyond the
// network's own have weights of 0, which keeps them out of the output, and in the rows such inputs are 0 too.
// What their gradients come to is never written.
template <int kInputs, int kUnits>
struct LaneWeights {
  float weight1[kUnits][kInputs];
  float bias1[kUnits];
  float weight2[kUnits];
  float bias2;  // every lane's

  __device__ __forceinline__ void load(const float* parameters, SmallLayout at, int lane) {
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const int unit = lane * kUnits + u;
      const bool own = unit < at.hidden;
#pragma unroll
      for (int i = 0; i < kInputs; ++i) {
        weight1[u][i] = own && i < at.inputs ? parameters[unit * at.inputs + i] : 0.0f;
      }
      bias1[u] = own ? parameters[at.bias1() + unit] : 0.0f;
      weight2[u] = own ? parameters[at.weight2() + unit] : 0.0f;
    }
    bias2 = parameters[at.bias2()];
  }

  __device__ __forceinline__ void store(float* parameters, SmallLayout at, int lane) const {
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const int unit = lane * kUnits + u;
      if (unit >= at.hidden) continue;
#pragma unroll
      for (int i = 0; i < kInputs; ++i) {
        if (i < at.inputs) parameters[unit * at.inputs + i] = weight1[u][i];
      }
      parameters[at.bias1() + unit] = bias1[u];
      parameters[at.weight2() + unit] = weight2[u];
    }
    if (lane == 0) parameters[at.bias2()] = bias2;
  }

  // f(parameter, its place in ListOf) for all.
  template <typename F>
  __device__ __forceinline__ void each(F f) const {
    constexpr int kUnit = ListOf<kInputs, kUnits>::kUnit;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
#pragma unroll
      for (int i = 0; i < kInputs; ++i) f(weight1[u][i], u * kUnit + i);
      f(bias1[u], u * kUnit + kInputs);
      f(weight2[u], u * kUnit + kInputs + 1);
    }
    f(bias2, ListOf<kInputs, kUnits>::kBias2);
  }
};

// The sum of `value` over the kLanes neighbouring lanes of a group, in every one of them: neighbours first, then
// pairs, then fours. All lanes of the warp take part.
template <int kLanes>
__device__ __forceinline__ float sum_over_group(float value) {
#pragma unroll
  for (int apart = 1; apart < kLanes; apart *= 2) value += __shfl_xor_sync(0xFFFFFFFF, value, apart);
  return value;
}

// kCount floats from shared memory in as few loads as their alignment allows; `from` is a multiple of kCount
// floats away from a multiple of 16 bytes.
template <int kCount>
__device__ __forceinline__ void load_row(const float* from, float (&to)[kCount]) {
  if constexpr (kCount % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      const float4 v = *reinterpret_cast<const float4*>(from + i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    }
  } else if constexpr (kCount % 2 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      const float2 v = *reinterpret_cast<const float2*>(from + i);
      to[i] = v.x, to[i + 1] = v.y;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = from[i];
  }
}

// What a lane gathers of the gradient: for its units, and for the output what every lane of the group has.
//
// With ReLU, h = z or 0, and the gradient has a factor in common that can wait (kFactored): with m = e where
// z > 0 and 0 elsewhere, let A_j = sum of m x and a_j = sum of m over the samples. Then
//   dW1_j = 2 w2_j A_j,  db1_j = 2 w2_j a_j,  dW2_j = 2 (W1_j . A_j + b1_j a_j)
// so weight1 holds A, bias1 holds a, and weight2 is not needed: two instructions less a unit and sample.
template <int kInputs, int kUnits, rs_activation A, bool kFactored>
struct LaneGradient {
  static_assert(!kFactored || A == RS_RELU, "only there is h = z or 0");
  float weight1[kUnits][kInputs];
  float bias1[kUnits];
  float weight2[kUnits];
  float bias2;  // sum of 2 e; where factored of e
  float loss;   // sum of e^2

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
#pragma unroll
      for (int i = 0; i < kInputs; ++i) weight1[u][i] = 0;
      bias1[u] = weight2[u] = 0;
    }
    bias2 = loss = 0;
  }

  // Forward and backward of one sample. Where it does not count, x and y are of any finite values.
  template <int kLanes>
  __device__ __forceinline__ void add(const LaneWeights<kInputs, kUnits>& w, const float (&x)[kInputs], float y,
                                      bool counts) {
    float h[kUnits];
    float products = 0;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      float z = w.bias1[u];
#pragma unroll
      for (int i = 0; i < kInputs; ++i) z = fmaf(w.weight1[u][i], x[i], z);
      h[u] = activate<A>(z);
      products = u == 0 ? w.weight2[u] * h[u] : fmaf(w.weight2[u], h[u], products);
    }
    float e = sum_over_group<kLanes>(products) + (w.bias2 - y);
    e = counts ? e : 0.0f;
    loss = fmaf(e, e, loss);
    const float d = kFactored ? e : e + e;
    bias2 += d;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      float dz;
      if constexpr (kFactored) {
        dz = h[u] <= 0 ? 0.0f : d;
      } else {
        dz = activation_gradient<A>(d * w.weight2[u], h[u]);
        weight2[u] = fmaf(d, h[u], weight2[u]);
      }
      bias1[u] += dz;
#pragma unroll
      for (int i = 0; i < kInputs; ++i) weight1[u][i] = fmaf(dz, x[i], weight1[u][i]);
    }
  }

  // All of it as a list: of each unit weight1, bias1 and weight2, then bias2 and the loss, then zeros.
  template <int kCount>
  __device__ __forceinline__ void list(float (&values)[kCount]) const {
    using At = ListOf<kInputs, kUnits>;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
#pragma unroll
      for (int i = 0; i < kInputs; ++i) values[u * At::kUnit + i] = weight1[u][i];
      values[u * At::kUnit + kInputs] = bias1[u];
      values[u * At::kUnit + kInputs + 1] = kFactored ? 0.0f : weight2[u];
    }
    values[At::kBias2] = bias2;
    values[At::kLoss] = loss;
#pragma unroll
    for (int k = At::kLoss + 1; k < kCount; ++k) values[k] = 0;
  }
};

// A group's sums: the lists of its lanes, one every kPitch floats.
template <int kInputs, int kUnits, int kPitch>
struct GroupGradient {
  using At = ListOf<kInputs, kUnits>;

  const float* lists;
  SmallLayout layout;

  __device__ __forceinline__ const float* unit(int j) const {
    return lists + j / kUnits * kPitch + j % kUnits * At::kUnit;
  }

  // Element p of the gradient vector, 0 in its padding.
  __device__ __forceinline__ float at(int p, float loss_weight) const {
    if (p < layout.bias1()) return unit(p / layout.inputs)[p % layout.inputs];
    if (p < layout.weight2()) return unit(p - layout.bias1())[kInputs];
    if (p < layout.bias2()) return unit(p - layout.weight2())[kInputs + 1];
    if (p == layout.bias2()) return lists[At::kBias2];
    return p == layout.loss() ? loss_weight * lists[At::kLoss] : 0.0f;
  }

  // The same from factored values (LaneGradient).
  __device__ __forceinline__ float at_factored(int p, float loss_weight, const float* parameters) const {
    if (p > layout.bias2()) return at(p, loss_weight);
    if (p < layout.weight2()) {
      const int j = p < layout.bias1() ? p / layout.inputs : p - layout.bias1();
      const float w = parameters[layout.weight2() + j];
      return (w + w) * at(p, loss_weight);
    }
    float sum = at(p, loss_weight);
    if (p < layout.bias2()) {
      const int j = p - layout.weight2();
      const float* a = unit(j);
      sum = parameters[layout.bias1() + j] * a[kInputs];
      for (int i = 0; i < layout.inputs; ++i) sum = fmaf(parameters[j * layout.inputs + i], a[i], sum);
    }
    return sum + sum;
  }
};

}  // namespace rs::gpu
