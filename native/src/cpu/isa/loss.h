// Losses of a tile of rows and their derivatives by the outputs, by PyTorch's formulas; vectors across rows. The plain
// squared error has its own code in the paths: this is for all else.
//
// With z the network's output, y the target and e = z - y:
//   MSE             e^2
//   MAE             |e|                                         derivative 0 at 0
//   Huber           e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)
//   BCE             max(z, 0) - z y + log(1 + exp(-|z|))        binary cross-entropy with logits
//   cross-entropy   log(sum over c of exp(z_c)) - z_y           y is a class from 0 to outputs - 1
// Each is multiplied by the sample's weight where there is one. Nothing overflows that is not infinite itself, what is
// small keeps its digits, and NaN stays NaN.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

RS_INLINE bool is_plain_mse(const Pass& pass) { return pass.loss.kind == RS_MSE && !pass.sample_weights; }

RS_INLINE vec abs_part(vec x) { return (vec)((ivec)x & 0x7FFFFFFF); }

// log(1 + u) for u >= 0, within a few ulp. With 1 + u = 2^k f, f in [sqrt(1/2), sqrt(2)): k ln 2 + 2 artanh(s), where
// s = (f - 1) / (f + 1) is at most 0.1716. Where k is 0, f - 1 is u itself, so that a small u keeps its digits.
RS_INLINE vec log1p_part(vec u) {
  const vec v = set1_part(1.0f) + u;
  const ivec k = ((ivec)v - (ivec)set1_part(0.70710678f)) >> 23;
  const vec f = (vec)((ivec)v - (k << 23));
  const vec t = k == 0 ? u : f - set1_part(1.0f);
  const vec s = t / (set1_part(2.0f) + t);
  const vec q = s * s;
  vec y = set1_part(2.0f / 9.0f);
  y = fma_part(y, q, set1_part(2.0f / 7.0f));
  y = fma_part(y, q, set1_part(2.0f / 5.0f));
  y = fma_part(y, q, set1_part(2.0f / 3.0f));
  y = fma_part(y * q, s, s + s);
  const vec exponent = __builtin_convertvector(k, vec);
  const vec sum = fma_part(exponent, set1_part(0.693359375f), fma_part(exponent, set1_part(-2.12194440e-4f), y));
  return v <= set1_part(3.402823466e38f) ? sum : v;  // infinite and NaN are themselves
}

template <rs_loss_kind K>
RS_INLINE void loss_part(const Loss& loss, vec z, vec y, vec* value, vec* derivative) {
  const vec e = z - y, nothing = {}, one = set1_part(1.0f);
  if constexpr (K == RS_MAE) {
    *value = abs_part(e);
    *derivative = e > nothing ? one : (e < nothing ? -one : e);
  } else if constexpr (K == RS_HUBER) {
    const vec delta = set1_part(loss.delta), half = set1_part(0.5f), size = abs_part(e);
    *value = size <= delta ? half * (e * e) : delta * (size - half * delta);
    *derivative = e > delta ? delta : (e < -delta ? -delta : e);
  } else if constexpr (K == RS_BCE) {
    const vec u = exp_part(-abs_part(z)), p = u / (one + u);  // the probability of the less likely side
    const vec left = one - y;                                 // exact for the targets 0 and 1
    *value = (z >= nothing ? z * left : -(z * y)) + log1p_part(u);
    *derivative = z >= nothing ? left - p : p - y;
  } else {
    *value = e * e;
    *derivative = e + e;
  }
}

// The first `lanes` lanes of v, and 0.
RS_INLINE f16 first_lanes(const f16& v, int lanes) {
  if (lanes >= kLanes) return v;
  alignas(64) float all[kLanes];
  store(all, v);
  return load_first(all, lanes);
}

template <rs_loss_kind K>
void pointwise_losses(const Loss& loss, float* outputs, const float* targets, const float* weights, int width, int count,
                      int stride, float* sums) {
  for (int o = 0; o < width; ++o) {
    f16 total = load(sums + o * kLanes);
    for (int s = 0; s < count; s += kLanes) {
      const int at = o * stride + s;
      const f16 z = load(outputs + at), y = load(targets + at);
      f16 value, derivative;
      for (int p = 0; p < kParts; ++p) loss_part<K>(loss, z.part[p], y.part[p], &value.part[p], &derivative.part[p]);
      if (weights) {
        value = value * load(weights + s);
        derivative = derivative * load(weights + s);
      }
      total = total + first_lanes(value, count - s);
      store(outputs + at, first_lanes(derivative, count - s));
    }
    store(sums + o * kLanes, total);
  }
}

// The largest output m, and u = the sum over the other classes of exp(z_c - m): the loss is m - z_y + log(1 + u).
inline void class_losses(float* outputs, const float* targets, const float* weights, int width, int count, int stride,
                         float* sums) {
  f16 total = load(sums);
  for (int s = 0; s < count; s += kLanes) {
    const f16 target = load(targets + s);
    const vec nan = set1_part(__builtin_nanf(""));
    f16 most = load(outputs + s), of_target, u = zero(), value;
    ivec winner[kParts] = {};
    for (int p = 0; p < kParts; ++p) of_target.part[p] = target.part[p] == vec{} ? most.part[p] : nan;
    for (int c = 1; c < width; ++c) {
      const f16 z = load(outputs + c * stride + s);
      for (int p = 0; p < kParts; ++p) {
        const ivec more = z.part[p] > most.part[p];
        most.part[p] = more ? z.part[p] : most.part[p];
        winner[p] = more ? ivec{} + c : winner[p];
        of_target.part[p] = target.part[p] == set1_part(static_cast<float>(c)) ? z.part[p] : of_target.part[p];
      }
    }
    for (int c = 0; c < width; ++c) {
      float* own = outputs + c * stride + s;
      f16 z = load(own);
      for (int p = 0; p < kParts; ++p) {
        z.part[p] = exp_part(z.part[p] - most.part[p]);
        u.part[p] = u.part[p] + (winner[p] == c ? vec{} : z.part[p]);
      }
      store(own, z);
    }
    f16 share;
    for (int p = 0; p < kParts; ++p) {
      value.part[p] = (most.part[p] - of_target.part[p]) + log1p_part(u.part[p]);
      share.part[p] = set1_part(1.0f) / (set1_part(1.0f) + u.part[p]);
    }
    for (int c = 0; c < width; ++c) {
      float* own = outputs + c * stride + s;
      f16 d = load(own) * share;
      for (int p = 0; p < kParts; ++p) {
        const vec below_one = winner[p] == c ? -(u.part[p] * share.part[p]) : d.part[p] - set1_part(1.0f);
        d.part[p] = target.part[p] == set1_part(static_cast<float>(c)) ? below_one : d.part[p];
      }
      if (weights) d = d * load(weights + s);
      store(own, first_lanes(d, count - s));
    }
    if (weights) value = value * load(weights + s);
    total = total + first_lanes(value, count - s);
  }
  store(sums, total);
}

// outputs [width][stride] become the derivatives, 0 for rows past `count` up to a multiple of 16; the losses are added
// to sums [width][16], those over classes all to the first. targets [target width][stride]; weights [stride], or null.
__attribute__((noinline)) static void tile_losses(
    const Loss& loss, float* outputs, const float* targets, const float* weights, int width, int count, int stride,
    float* sums) {
  switch (loss.kind) {
    case RS_MAE: return pointwise_losses<RS_MAE>(loss, outputs, targets, weights, width, count, stride, sums);
    case RS_HUBER: return pointwise_losses<RS_HUBER>(loss, outputs, targets, weights, width, count, stride, sums);
    case RS_BCE: return pointwise_losses<RS_BCE>(loss, outputs, targets, weights, width, count, stride, sums);
    case RS_CROSS_ENTROPY: return class_losses(outputs, targets, weights, width, count, stride, sums);
    default: return pointwise_losses<RS_MSE>(loss, outputs, targets, weights, width, count, stride, sums);
  }
}

}  // namespace rs::cpu::RS_ISA
