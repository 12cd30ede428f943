// Batch 1, plain loops: what a careful C++ programmer writes first. The compiler vectorises over the hidden
// units because their weights lie side by side, so fc1.weight is kept transposed.
#pragma once

#include "problem.h"

struct Transposed {
  alignas(64) float w1[kInputs][kHidden];
  float b1[kHidden], w2[kHidden], b2;

  explicit Transposed(const Parameters<float>& p) : b2(p.b2) {
    for (int j = 0; j < kHidden; ++j) {
      for (int i = 0; i < kInputs; ++i) w1[i][j] = p.w1[j][i];
      b1[j] = p.b1[j];
      w2[j] = p.w2[j];
    }
  }

  Parameters<float> parameters() const {
    Parameters<float> p;
    for (int j = 0; j < kHidden; ++j) {
      for (int i = 0; i < kInputs; ++i) p.w1[j][i] = w1[i][j];
      p.b1[j] = b1[j];
      p.w2[j] = w2[j];
    }
    p.b2 = b2;
    return p;
  }
};

inline float forward_one(const Transposed& p, const float* x, float* h) {
  for (int j = 0; j < kHidden; ++j) h[j] = p.b1[j];
  for (int i = 0; i < kInputs; ++i)
    for (int j = 0; j < kHidden; ++j) h[j] += x[i] * p.w1[i][j];
  float out = p.b2;
  for (int j = 0; j < kHidden; ++j) out += p.w2[j] * h[j];
  return out;
}

__attribute__((noinline)) inline float forward_plain(const Transposed& p, const float* x) {
  float h[kHidden];
  return forward_one(p, x, h);
}

__attribute__((noinline)) inline void train_plain(Transposed& p, const float* x, const float* y, int64_t steps) {
  for (int64_t s = 0; s < steps; ++s, x += kInputs) {
    float h[kHidden], dh[kHidden];
    const float d = 2 * kLearningRate * (forward_one(p, x, h) - y[s]);
    p.b2 -= d;
    for (int j = 0; j < kHidden; ++j) {
      dh[j] = d * p.w2[j];
      p.w2[j] -= d * h[j];
      p.b1[j] -= dh[j];
    }
    for (int i = 0; i < kInputs; ++i)
      for (int j = 0; j < kHidden; ++j) p.w1[i][j] -= x[i] * dh[j];
  }
}
