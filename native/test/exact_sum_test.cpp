// ExactSum against an independent reference.
#include "exact_sum.h"

#include <cstdio>
#include <string>

#include "check.h"
#include "hard_sums.h"
#include "reference_sum.h"

using rs::ExactSum;
using test::Random;

namespace {

float exact_sum(const std::vector<float>& values) {
  ExactSum sum;
  for (float value : values) sum.add(value);
  return sum.result();
}

void expect(float expected, const std::vector<float>& values, const char* what) {
  const float sum = exact_sum(values);
  CHECK(test::same_bits(sum, expected), "%s: %a is not %a", what, sum, expected);
}

void gives_known_answers() {
  const float tiny = FLT_TRUE_MIN;
  expect(0.0f, {}, "nothing");
  expect(0.0f, {-0.0f, -0.0f}, "zeros");
  expect(0.0f, {1.5f, -1.5f}, "opposites");
  expect(1.0f, {1.0f, 0x1p-24f}, "a tie goes to the even number below");
  expect(0x1.000002p0f, {1.0f, 0x1p-24f, tiny}, "a tie and the least bit");
  expect(1.0f, {1.0f, 0x1p-24f, -tiny}, "a tie less the least bit");
  expect(0x1.000004p0f, {0x1.000002p0f, 0x1p-24f}, "a tie goes to the even number above");
  expect(-0x1.000004p0f, {-0x1.000002p0f, -0x1p-24f}, "a negative tie");
  expect(tiny, {FLT_MAX, tiny, -FLT_MAX}, "the least and the greatest");
  expect(2 * tiny, {tiny, tiny}, "denormals");
  expect(FLT_MIN, {FLT_MIN / 2, FLT_MIN / 2}, "from denormal to normal");
  expect(FLT_MIN - tiny, {FLT_MIN, -tiny}, "from normal to denormal");
}

void overflows_only_at_the_end() {
  const float half_bit = 0x1p103f;  // half of FLT_MAX's last bit
  expect(FLT_MAX, {FLT_MAX, FLT_MAX, FLT_MAX, -FLT_MAX, -FLT_MAX}, "there and back");
  expect(INFINITY, {FLT_MAX, FLT_MAX}, "twice the greatest");
  expect(-INFINITY, {-FLT_MAX, -FLT_MAX}, "twice the least");
  expect(INFINITY, {FLT_MAX, half_bit}, "a tie at the top");
  expect(FLT_MAX, {FLT_MAX, half_bit, -FLT_TRUE_MIN}, "just below a tie at the top");
  expect(INFINITY, std::vector<float>(100000, FLT_MAX), "many");
}

void keeps_special_values() {
  expect(INFINITY, {INFINITY, -FLT_MAX}, "infinity");
  expect(-INFINITY, {1.0f, -INFINITY, FLT_MAX}, "minus infinity");
  expect(NAN, {INFINITY, -INFINITY}, "infinities of both signs");
  expect(NAN, {1.0f, NAN, INFINITY}, "NaN");
}

std::string name(test::Series series, size_t count) {
  return "series " + std::to_string(static_cast<int>(series)) + ", " + std::to_string(count) + " values";
}

// In one run, in another order, and as the sum of two sums.
void agrees_with_the_reference(test::Series series, size_t count, Random& random) {
  std::vector<float> values = make_series(series, count, random);
  test::ReferenceSum reference;
  for (float value : values) reference.add(value);
  expect(reference.result(), values, name(series, count).c_str());

  ExactSum first, second;
  for (size_t i = 0; i < count; ++i) (i % 3 ? first : second).add(values[i]);
  first.add(second);
  CHECK(test::same_bits(first.result(), reference.result()), "%s in two parts", name(series, count).c_str());

  shuffle(values, random);
  expect(reference.result(), values, (name(series, count) + " in another order").c_str());
}

}  // namespace

int main() {
  gives_known_answers();
  overflows_only_at_the_end();
  keeps_special_values();
  Random random(1);
  int cases = 0;
  for (test::Series series : test::kAllSeries) {
    for (size_t count : {1, 2, 3, 5, 8, 33, 100, 256}) {
      for (int i = 0; i < 100; ++i, ++cases) agrees_with_the_reference(series, count, random);
    }
  }
  std::printf("%d series of values\n", cases);
  return 0;
}
