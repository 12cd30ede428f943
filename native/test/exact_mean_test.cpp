// The mean of what many models have: against long double, for hard sums too, and the same for any split among ranks.
#include <cmath>
#include <cstdio>

#include "bits.h"
#include "collective_test.h"
#include "exact_mean.h"
#include "random.h"

using rs::collective::GradientSum;
using rs::ExactMean;

namespace {

constexpr int64_t kParameters = 37;

struct Models {
  std::vector<std::vector<float>> parameters;
  std::vector<double> weights;
};

// Parameters from 1e-30 to 1e30, of either sign, that all but cancel.
Models hard_models(int64_t count, uint32_t seed) {
  test::Random random(seed);
  Models models;
  for (int64_t k = 0; k < count; ++k) {
    std::vector<float> own;
    for (int64_t i = 0; i < kParameters; ++i) {
      const float large = std::pow(10.0f, random.uniform(-30, 30)) * random.uniform(-1, 1);
      own.push_back(k % 2 && i % 3 == 0 ? -models.parameters.back()[static_cast<size_t>(i)] : i % 3 == 1 ? random.uniform(-1, 1) : large);
    }
    models.parameters.push_back(own);
    models.weights.push_back(1 + static_cast<double>(random.below(5000)));
  }
  return models;
}

void put(ExactMean& mean, const Models& models, size_t begin, size_t end, bool weighted) {
  mean.begin(static_cast<int64_t>(end - begin), weighted ? 2 : 1);
  for (size_t k = begin; k < end; ++k) {
    mean.put(static_cast<int64_t>(k - begin), models.parameters[k].data(), weighted ? models.weights[k] : 1);
  }
}

std::vector<float> mean_of(const Models& models, bool weighted) {
  ExactMean mean(kParameters);
  put(mean, models, 0, models.parameters.size(), weighted);
  std::vector<float> result(kParameters);
  CHECK(mean.run(nullptr, 2, result.data()), "nothing to average");
  return result;
}

void is_the_mean() {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    for (bool weighted : {false, true}) {
      const Models models = hard_models(1 + seed % 9, seed);
      const std::vector<float> actual = mean_of(models, weighted);
      for (size_t i = 0; i < kParameters; ++i) {
        long double sum = 0, total = 0, size = 0;
        for (size_t k = 0; k < models.parameters.size(); ++k) {
          const long double weight = weighted ? static_cast<long double>(models.weights[k]) : 1;
          sum += weight * models.parameters[k][i];
          size += std::fabs(weight * models.parameters[k][i]);
          total += weight;
        }
        const long double expected = sum / total;
        const long double allowed = 6e-8L * std::fabs(expected) + 1e-17L * size / total + 1e-44L;
        CHECK(std::fabs(actual[i] - expected) <= allowed, "seed %u, parameter %zu: %g, not %Lg", seed, i, actual[i], expected);
      }
    }
  }
}

void a_mean_of_equals_is_what_they_are() {
  test::Random random(3);
  std::vector<float> own;
  for (int64_t i = 0; i < kParameters; ++i) own.push_back(random.uniform(-1, 1));
  for (size_t count : {1, 3, 5, 7, 11, 100}) {
    const Models models = {std::vector<std::vector<float>>(count, own), std::vector<double>(count, 13)};
    for (bool weighted : {false, true}) {
      const std::vector<float> mean = mean_of(models, weighted);
      CHECK(test::first_difference(mean.data(), own.data(), kParameters) == kParameters, "%zu models", count);
    }
  }
}

void ranks_change_no_bit() {
  for (bool weighted : {false, true}) {
    const Models models = hard_models(11, 77);
    const std::vector<float> expected = mean_of(models, weighted);
    for (int size : {2, 3, 8, 13}) {
      test::check_none(
          test::with_local(size, std::chrono::seconds(60),
                           [&](test::Communicator& communicator) {
                             ExactMean mean(kParameters);
                             GradientSum ranks(communicator, GradientSum::kExact, mean.length());
                             const size_t rank = static_cast<size_t>(communicator.rank()), world = static_cast<size_t>(size);
                             put(mean, models, 11 * rank / world, 11 * (rank + 1) / world, weighted);
                             std::vector<float> actual(kParameters);
                             CHECK(mean.run(&ranks, 1, actual.data()), "nothing to average");
                             CHECK(test::first_difference(actual.data(), expected.data(), kParameters) == kParameters,
                                   "rank %d of %d has another mean", communicator.rank(), size);
                           }),
          "ranks");
    }
  }
}

// To 48 bits, which floats do not have; the same for any split among ranks, one that has no model among them.
void doubles_keep_their_digits() {
  test::Random random(5);
  std::vector<double> values;
  for (int k = 0; k < 9; ++k) values.push_back(random.uniform(0, 1) + 1e-9 * random.uniform(0, 1));
  const auto put = [&](ExactMean& mean, size_t begin, size_t end) {
    mean.begin(static_cast<int64_t>(end - begin), 2);
    for (size_t k = begin; k < end; ++k) mean.put(static_cast<int64_t>(k - begin), &values[k]);
  };
  long double sum = 0;
  for (double value : values) sum += value;
  ExactMean all(1);
  put(all, 0, 9);
  double expected = 0;
  CHECK(all.run(nullptr, 1, &expected), "nothing to average");
  CHECK(std::fabs(expected - sum / 9) <= 0x1p-47L * sum / 9, "%.17g, not %.17Lg", expected, sum / 9);
  test::check_none(test::with_local(11, std::chrono::seconds(60),
                                    [&](test::Communicator& communicator) {
                                      ExactMean mean(1);
                                      GradientSum ranks(communicator, GradientSum::kExact, mean.length());
                                      const size_t rank = static_cast<size_t>(communicator.rank());
                                      put(mean, 9 * rank / 11, 9 * (rank + 1) / 11);
                                      double actual = 0;
                                      CHECK(mean.run(&ranks, 1, &actual) && actual == expected, "%.17g on rank %zu, not %.17g", actual, rank, expected);
                                    }),
                   "ranks");
}

void nothing_to_average() {
  ExactMean mean(kParameters);
  mean.begin(0, 2);
  std::vector<float> untouched(kParameters, 5);
  CHECK(!mean.run(nullptr, 1, untouched.data()) && untouched[0] == 5, "it averaged nothing to %g", untouched[0]);
}

}  // namespace

int main() {
  is_the_mean();
  a_mean_of_equals_is_what_they_are();
  ranks_change_no_bit();
  doubles_keep_their_digits();
  nothing_to_average();
  std::printf("means checked\n");
  return 0;
}
