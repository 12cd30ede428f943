// The oracle: the same training in float64, written to be read. No loop is timed before it agrees.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "problem.h"

inline double forward64(const Parameters<double>& p, const float* x, double* h) {
  double out = p.b2;
  for (int j = 0; j < kHidden; ++j) {
    h[j] = p.b1[j];
    for (int i = 0; i < kInputs; ++i) h[j] += p.w1[j][i] * x[i];
    out += p.w2[j] * h[j];
  }
  return out;
}

inline Parameters<double> widen(const Parameters<float>& p) {
  Parameters<double> wide;
  std::copy(p.flat(), p.flat() + kParameters, wide.flat());
  return wide;
}

// `steps` steps of `batch` rows each; the next step takes the next rows, from the first again at the end.
inline Parameters<double> train64(const Rows& rows, int64_t batch, int64_t steps) {
  Parameters<double> p = widen(start());
  const int64_t count = static_cast<int64_t>(rows.y.size());
  for (int64_t s = 0; s < steps; ++s) {
    Parameters<double> g = {};
    for (int64_t r = 0; r < batch; ++r) {
      const int64_t row = (s * batch + r) % count;
      const float* x = &rows.x[static_cast<size_t>(row * kInputs)];
      double h[kHidden];
      const double d = 2 * (forward64(p, x, h) - rows.y[static_cast<size_t>(row)]);
      g.b2 += d;
      for (int j = 0; j < kHidden; ++j) {
        const double dh = d * p.w2[j];
        g.w2[j] += d * h[j];
        g.b1[j] += dh;
        for (int i = 0; i < kInputs; ++i) g.w1[j][i] += dh * x[i];
      }
    }
    const double scale = double{kLearningRate} / static_cast<double>(batch);
    for (int k = 0; k < kParameters; ++k) p.flat()[k] -= scale * g.flat()[k];
  }
  return p;
}

// The largest difference; ends the program where it is more than rounding explains.
inline double require_close(const char* name, const float* actual, const double* expected, int64_t count) {
  double error = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double difference = std::fabs(actual[k] - expected[k]);
    if (!(difference <= error)) error = difference;  // a NaN gets through
  }
  if (error <= 1e-5) return error;
  std::fprintf(stderr, "line: %s is off by %g from float64, so it was not timed\n", name, error);
  std::exit(1);
}

inline double require_close(const char* name, const Parameters<float>& actual, const Parameters<double>& expected) {
  return require_close(name, actual.flat(), expected.flat(), kParameters);
}
