// Activation functions and their derivatives, on 16 lanes. NaN stays NaN in all of them.
#pragma once

#include "cpu/isa/simd.h"
#include "ringstep.h"

namespace rs::cpu::RS_ISA {

// exp(x) within about 1 ulp for x <= 88; larger x count as 88, smaller than -87 as -87. From Cephes'
// expf: x = n ln 2 + r with n an integer, and a polynomial for exp(r).
RS_INLINE vec exp_part(vec x) {
  x = x > set1_part(88.0f) ? set1_part(88.0f) : x;
  x = x < set1_part(-87.0f) ? set1_part(-87.0f) : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  const vec rounder = set1_part(12582912.0f);
  const vec shifted = fma_part(x, set1_part(1.44269504088896341f), rounder);
  const vec n = shifted - rounder;
  vec r = fma_part(n, set1_part(-0.693359375f), x);
  r = fma_part(n, set1_part(2.12194440e-4f), r);
  vec y = set1_part(1.9875691500e-4f);
  y = fma_part(y, r, set1_part(1.3981999507e-3f));
  y = fma_part(y, r, set1_part(8.3334519073e-3f));
  y = fma_part(y, r, set1_part(4.1665795894e-2f));
  y = fma_part(y, r, set1_part(1.6666665459e-1f));
  y = fma_part(y, r, set1_part(5.0000001201e-1f));
  y = fma_part(y, r * r, r + set1_part(1.0f));
  const ivec exponent = ((ivec)shifted - (ivec)rounder + 127) << 23;
  return y * (vec)exponent;
}

// Within a few ulp of tanh, after Cephes' tanhf.
RS_INLINE vec tanh_part(vec z) {
  const ivec sign = (ivec)z & (ivec)set1_part(-0.0f);
  const vec size = (vec)((ivec)z ^ sign);
  const vec one = set1_part(1.0f);
  const vec large = one - set1_part(2.0f) / (exp_part(size + size) + one);
  const vec s = z * z;
  vec y = set1_part(-5.70498872745e-3f);
  y = fma_part(y, s, set1_part(2.06390887954e-2f));
  y = fma_part(y, s, set1_part(-5.37397155531e-2f));
  y = fma_part(y, s, set1_part(1.33314422036e-1f));
  y = fma_part(y, s, set1_part(-3.33332819422e-1f));
  const vec small = fma_part(y * s, z, z);
  return size < set1_part(0.625f) ? small : (vec)((ivec)large | sign);
}

RS_INLINE vec sigmoid_part(vec z) {
  const vec one = set1_part(1.0f);
  return one / (one + exp_part(-z));
}

template <rs_activation A>
RS_INLINE vec activate_part(vec z) {
  if constexpr (A == RS_RELU) {
    return vec{} > z ? vec{} : z;
  } else if constexpr (A == RS_TANH) {
    return tanh_part(z);
  } else if constexpr (A == RS_SIGMOID) {
    return sigmoid_part(z);
  } else {
    return z;
  }
}

template <rs_activation A>
RS_INLINE f16 activate(const f16& z) {
  return each([&](int p) { return activate_part<A>(z.part[p]); });
}

// gradient * f'(z), told from h = f(z).
template <rs_activation A>
RS_INLINE vec activation_gradient_part(vec gradient, vec h) {
  if constexpr (A == RS_RELU) {
    // Where h is NaN the gradient stays: NaN must not vanish.
    return h <= vec{} ? vec{} : gradient;
  } else if constexpr (A == RS_TANH) {
    return gradient * fma_part(-h, h, set1_part(1.0f));
  } else if constexpr (A == RS_SIGMOID) {
    return gradient * (h * (set1_part(1.0f) - h));
  } else {
    return gradient;
  }
}

template <rs_activation A>
RS_INLINE f16 activation_gradient(const f16& gradient, const f16& h) {
  return each([&](int p) { return activation_gradient_part<A>(gradient.part[p], h.part[p]); });
}

}  // namespace rs::cpu::RS_ISA
