// Activation functions and their derivatives. NaN stays NaN in all of them.
//
// tanh and sigmoid take the exponential and the reciprocal from the special function unit and mend them with
// float32 arithmetic: within a few ulp, in half the instructions of expf and a division.
#pragma once

#include "ringstep.h"
#include "simt.h"

namespace rs::gpu {

// 2^x within 2 ulp.
__device__ __forceinline__ float exp2_unit(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// 1 / x for 1 <= x < 2^126, within 1 ulp: one step of Newton's after the unit's approximation.
__device__ __forceinline__ float reciprocal(float x) {
#ifdef __CUDACC__
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
#else
  const float r = 1.0f / x;
#endif
  return fmaf(r, fmaf(-x, r, 1.0f), r);
}

// e^x within about 3 ulp for |x| <= 87. x log2(e) is cut into the float nearest to it and the rest, since an
// error of the exponent counts x times.
__device__ __forceinline__ float exp_bounded(float x) {
  const float t = x * 1.44269502f;  // log2(e) = 1.44269502 + 1.92596303e-8
  const float rest = fmaf(x, 1.92596303e-8f, fmaf(x, 1.44269502f, -t));
  const float y = exp2_unit(t);
  return fmaf(y, rest * 0.693147182f, y);
}

// tanh z = 1 - 2 / (e^2|z| + 1); near 0, where that cancels, Cephes' polynomial. From |z| = 20 on it is 1.
__device__ __forceinline__ float tanh_of(float z) {
  float size = fabsf(z);
  size = size > 20.0f ? 20.0f : size;
  const float large = fmaf(-2.0f, reciprocal(exp_bounded(size + size) + 1.0f), 1.0f);
  const float s = z * z;
  float y = -5.70498872745e-3f;
  y = fmaf(y, s, 2.06390887954e-2f);
  y = fmaf(y, s, -5.37397155531e-2f);
  y = fmaf(y, s, 1.33314422036e-1f);
  y = fmaf(y, s, -3.33332819422e-1f);
  const float small = fmaf(y * s, z, z);
  return size < 0.625f ? small : copysignf(large, z);
}

__device__ __forceinline__ float sigmoid_of(float z) {
  z = z > 87.0f ? 87.0f : z;
  z = z < -87.0f ? -87.0f : z;
  return reciprocal(exp_bounded(-z) + 1.0f);
}

template <rs_activation A>
__device__ __forceinline__ float activate(float z) {
  if constexpr (A == RS_RELU) return z <= 0 ? 0.0f : z;
  if constexpr (A == RS_TANH) return tanh_of(z);
  if constexpr (A == RS_SIGMOID) return sigmoid_of(z);
  return z;
}

// gradient * f'(z), told from h = f(z).
template <rs_activation A>
__device__ __forceinline__ float activation_gradient(float gradient, float h) {
  if constexpr (A == RS_RELU) return h <= 0 ? 0.0f : gradient;  // where h is NaN, NaN must not vanish
  if constexpr (A == RS_TANH) return gradient * fmaf(-h, h, 1.0f);
  if constexpr (A == RS_SIGMOID) return gradient * (h * (1.0f - h));
  return gradient;
}

}  // namespace rs::gpu
