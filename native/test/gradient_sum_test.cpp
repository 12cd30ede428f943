// GradientSum equals ExactSum over all blocks, however they are dealt out to ranks, for easy and for hard values.
#include <cstring>

#include "bits.h"
#include "collective/gradient_sum.h"
#include "collective_test.h"
#include "exact_sum.h"
#include "hard_sums.h"
#include "sanitizers.h"

using namespace test;
using rs::collective::GradientSum;

namespace {

constexpr Deadline kLong(60000);

struct Step {
  int64_t blocks;
  std::vector<float> values;  // [blocks][length]
};

// A series for each parameter; some steps have one kind alone, so that the planes in use change from step to step.
Step make_step(int64_t length, int64_t blocks, const Series* kind, Random& random) {
  Step step = {blocks, std::vector<float>(static_cast<size_t>(length * blocks))};
  for (int64_t i = 0; i < length; ++i) {
    const Series own = kind ? *kind : kAllSeries[random.below(static_cast<int64_t>(std::size(kAllSeries)))];
    const std::vector<float> series = make_series(own, static_cast<size_t>(blocks), random);
    for (int64_t b = 0; b < blocks; ++b) step.values[static_cast<size_t>(b * length + i)] = series[static_cast<size_t>(b)];
  }
  return step;
}

std::vector<Step> make_steps(int64_t length) {
  Random random(static_cast<uint64_t>(length));
  std::vector<Step> steps;
  for (int64_t blocks : {1, 2, 3, 7, 8, 20}) steps.push_back(make_step(length, blocks, nullptr, random));
  for (const Series& kind : kAllSeries) {
    for (int i = 0; i < 2; ++i) steps.push_back(make_step(length, 7, &kind, random));
  }
  // Long enough for planes to fall out of use, and then come back.
  const Series ordinary = Series::kOrdinary, huge = Series::kHuge;
  for (int i = 0; i < (length > 1000 ? 3 : 70); ++i) steps.push_back(make_step(length, 3, &ordinary, random));
  steps.push_back(make_step(length, 5, &huge, random));
  return steps;
}

float expected(const Step& step, int64_t length, int64_t i) {
  rs::ExactSum sum;
  for (int64_t b = 0; b < step.blocks; ++b) sum.add(step.values[static_cast<size_t>(b * length + i)]);
  return sum.result();
}

void exact(const NamedBackend& backend, int size, int64_t length) {
  const std::vector<Step> steps = make_steps(length);
  check_none(backend.run(size, kLong, [&](Communicator& ranks) {
    GradientSum sum(ranks, GradientSum::kExact, length);
    std::vector<float> result(static_cast<size_t>(length));
    for (size_t s = 0; s < steps.size(); ++s) {
      const Step& step = steps[s];
      const int64_t begin = step.blocks * ranks.rank() / size, end = step.blocks * (ranks.rank() + 1) / size;
      GradientSum::Tally tally = {end - begin, static_cast<int64_t>(s == 3 && ranks.rank() == size - 1)};
      sum.run(step.values.data() + begin * length, length, end - begin, tally, result.data());
      CHECK(tally.rows == step.blocks && tally.stops == (s == 3), "%s: step %zu: the tally is wrong", backend.name, s);
      for (int64_t i = 0; i < length; ++i) {
        const float wanted = expected(step, length, i);
        CHECK(same_bits(result[static_cast<size_t>(i)], wanted), "%s, %d ranks, step %zu, value %lld: %a is not %a",
              backend.name, size, s, static_cast<long long>(i), result[static_cast<size_t>(i)], wanted);
      }
    }
    GradientSum::Tally tally = {ranks.rank(), 1};
    sum.run(tally);
    CHECK(tally.rows == size * (size - 1) / 2 && tally.stops == size, "%s: the tally alone", backend.name);
  }), backend.name);
}

// The float reduction is near, and the same on all ranks.
void as_floats(const NamedBackend& backend, int size) {
  Random random(3);
  const Series ordinary = Series::kOrdinary;
  const int64_t length = 241;
  const Step step = make_step(length, 9, &ordinary, random);
  std::vector<std::vector<float>> results(static_cast<size_t>(size), std::vector<float>(static_cast<size_t>(length)));
  check_none(backend.run(size, kLong, [&](Communicator& ranks) {
    GradientSum sum(ranks, GradientSum::kFloat, length);
    const int64_t begin = step.blocks * ranks.rank() / size, end = step.blocks * (ranks.rank() + 1) / size;
    GradientSum::Tally tally = {end - begin, 0};
    sum.run(step.values.data() + begin * length, length, end - begin, tally, results[static_cast<size_t>(ranks.rank())].data());
    CHECK(tally.rows == step.blocks, "%s: tally", backend.name);
  }), backend.name);
  for (const auto& result : results) {
    CHECK(std::memcmp(result.data(), results[0].data(), result.size() * sizeof(float)) == 0, "%s: ranks differ", backend.name);
    for (int64_t i = 0; i < length; ++i) {
      CHECK(std::fabs(result[static_cast<size_t>(i)] - expected(step, length, i)) < 1e-5, "%s: value %lld", backend.name, static_cast<long long>(i));
    }
  }
}

}  // namespace

int main() {
  for (const NamedBackend& backend : kBackends) {
    for (int size : {1, 2, 3, 4, 7, 8}) {
      exact(backend, size, 1);
      exact(backend, size, 242);
      if (size > 1) as_floats(backend, size);
    }
    exact(backend, TEST_SLOW ? 2 : 4, 20000);
  }
  return 0;
}
