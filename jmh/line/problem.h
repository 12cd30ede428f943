// What is trained: Linear(10→20→1) on rows with a noisy linear target. Number for number the problem of
// ../src/main/java/io/ringstep/jmh/Problem.java, so both sides of a ratio do the same work on the same data.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

constexpr int kInputs = 10;
constexpr int kHidden = 20;
constexpr int kParameters = kHidden * kInputs + kHidden + kHidden + 1;
constexpr float kLearningRate = 0.01f;

// In PyTorch's order: fc1.weight [20, 10], fc1.bias, fc2.weight [1, 20], fc2.bias.
template <typename T>
struct Parameters {
  T w1[kHidden][kInputs], b1[kHidden], w2[kHidden], b2;

  T* flat() { return reinterpret_cast<T*>(this); }
  const T* flat() const { return reinterpret_cast<const T*>(this); }
};

// Knuth's 64-bit linear congruential generator: two lines in any language, the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  int64_t bits24() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>(state_ >> 40);
  }
  float uniform(double bound) { return static_cast<float>((std::ldexp(static_cast<double>(bits24()), -23) - 1) * bound); }
  // Four uniforms added up: mean 0, variance 1, near enough to normal for a timing.
  float normal() {
    const int64_t sum = bits24() + bits24() + bits24() + bits24();
    return static_cast<float>((std::ldexp(static_cast<double>(sum), -24) - 2) * std::sqrt(3.0));
  }

 private:
  uint64_t state_;
};

// Uniform ±1/√in, as PyTorch's nn.Linear.
inline Parameters<float> start() {
  Random random(1);
  Parameters<float> p;
  const double bound1 = 1 / std::sqrt(double{kInputs}), bound2 = 1 / std::sqrt(double{kHidden});
  for (auto& row : p.w1) for (float& w : row) w = random.uniform(bound1);
  for (float& b : p.b1) b = random.uniform(bound1);
  for (float& w : p.w2) w = random.uniform(bound2);
  p.b2 = random.uniform(bound2);
  return p;
}

struct Rows {
  std::vector<float> x;  // [rows, 10]
  std::vector<float> y;  // [rows]

  explicit Rows(int64_t rows) : x(static_cast<size_t>(rows * kInputs)), y(static_cast<size_t>(rows)) {
    Random random(2);
    for (size_t r = 0; r < y.size(); ++r) {
      double target = 0;
      for (int i = 0; i < kInputs; ++i) {
        const float v = random.normal();
        x[r * kInputs + i] = v;
        target += 0.1 * (i - 4) * v;
      }
      // The noise keeps errors, and with them gradients, far from zero however long the training.
      y[r] = static_cast<float>(target + 0.1 * random.normal());
    }
  }
};
