// add_blocks of every instruction set equals ExactSum, where its quick way is exact and where not.
#include "check.h"
#include "exact_sum.h"
#include "guarded_array.h"
#include "hard_sums.h"
#include "instruction_sets.h"

using rs::cpu::Kernels;
using test::GuardedArray;
using test::Random;

namespace {

constexpr int64_t kStride = 80, kBegin = 16, kEnd = 64;

// Every parameter has a series of its own kind, so that one vector meets easy and hard ones.
void fill(const GuardedArray& gradients, int64_t blocks, Random& random) {
  for (int64_t i = 0; i < kStride; ++i) {
    const test::Series kind = test::kAllSeries[random.below(static_cast<int64_t>(std::size(test::kAllSeries)))];
    const std::vector<float> values = make_series(kind, static_cast<size_t>(blocks), random);
    for (int64_t b = 0; b < blocks; ++b) gradients[b * kStride + i] = values[static_cast<size_t>(b)];
  }
}

float exact_sum(const GuardedArray& gradients, int64_t blocks, int64_t i) {
  rs::ExactSum sum;
  for (int64_t b = 0; b < blocks; ++b) sum.add(gradients[b * kStride + i]);
  return sum.result();
}

void check(const Kernels& kernels, const GuardedArray& gradients, int64_t blocks) {
  GuardedArray sum(kEnd);
  kernels.add_blocks(gradients.get(), kStride, blocks, kBegin, kEnd, sum.get());
  for (int64_t i = 0; i < kBegin; ++i) CHECK(test::bits_of(sum[i]) == ~0u, "%s wrote before its part", kernels.name);
  for (int64_t i = kBegin; i < kEnd; ++i) {
    const float expected = exact_sum(gradients, blocks, i);
    CHECK(test::same_bits(sum[i], expected), "%s, %lld blocks: %a is not %a", kernels.name,
          static_cast<long long>(blocks), sum[i], expected);
  }
}

}  // namespace

int main() {
  const std::vector<const Kernels*> sets = test::instruction_sets();
  Random random(2);
  for (int64_t blocks : {1, 2, 3, 7, 8, 31, 100, 256}) {
    for (int i = 0; i < 50; ++i) {
      const GuardedArray gradients(blocks * kStride);
      fill(gradients, blocks, random);
      for (const Kernels* kernels : sets) check(*kernels, gradients, blocks);
    }
  }
  return 0;
}
