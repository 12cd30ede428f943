// Gathered rows are those that the CPU's shuffle gives, bit for bit.
#include "gather_rows.h"

#include "kernel_test.h"

using rs::Shuffle;
using rs::gpu::Rows;
using test::DeviceArray;
using test::Floats;

namespace {

void check(int64_t dataset, int64_t first, int64_t count, int inputs, int outputs, bool shuffled, test::Random& random) {
  const Floats x(test::uniform(dataset * inputs, random)), y(test::uniform(dataset * outputs, random));
  const Shuffle shuffle(random.bits(), random.bits(), dataset);
  const Rows rows = {x.get(), y.get(), first, shuffle, shuffled};
  const Floats got_x(count * inputs), got_y(count * outputs), only_x(count * inputs);
  test::run_in_both_orders(got_x, [&] {
    rs::gpu::gather_rows(rows, count, inputs, outputs, got_x.get(), got_y.get(), nullptr);
  });
  rs::gpu::gather_rows(rows, count, inputs, outputs, only_x.get(), nullptr, nullptr);
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = first + i;
    if (shuffled) shuffle.map(&row, 1);
    CHECK(test::first_difference(&got_x[i * inputs], &x[row * inputs], inputs) == inputs, "x of row %d", static_cast<int>(i));
    CHECK(test::first_difference(&only_x[i * inputs], &x[row * inputs], inputs) == inputs, "x of row %d", static_cast<int>(i));
    CHECK(test::first_difference(&got_y[i * outputs], &y[row * outputs], outputs) == outputs, "y of row %d", static_cast<int>(i));
  }
}

}  // namespace

int main() {
  test::Random random(15);
  for (const int64_t dataset : {1, 2, 3, 64, 65, 127, 1000}) {
    for (const int inputs : {1, 10, 33, 300}) {
      for (const bool shuffled : {true, false}) {
        const int64_t first = random.below(dataset), outputs = 1 + random.below(4);
        check(dataset, first, dataset - first, inputs, static_cast<int>(outputs), shuffled, random);
        check(dataset, first, 0, inputs, static_cast<int>(outputs), shuffled, random);
      }
    }
  }
  return 0;
}
