// move_average: against float64, and what it leaves out.
#include "average.h"

#include <cmath>

#include "kernel_test.h"

using test::Floats;

namespace {

constexpr int kMoves = 20;

void check_average(const rs_average& settings, int64_t count, int skips) {
  test::Random random(static_cast<uint64_t>(count));
  Floats parameters(count), average(count);
  std::vector<double> expected(static_cast<size_t>(count));
  rs::gpu::StepState state;
  state.average_skips = skips;
  int averaged = 0;
  for (int move = 0; move < kMoves; ++move) {
    for (int64_t i = 0; i < count; ++i) parameters[i] = random.uniform(-1, 1);
    state.failed = move == 7;  // a step that was not applied is none to average
    rs::gpu::move_average(settings, count, parameters.get(), average.get(), &state, nullptr);
    if (state.failed) continue;
    if (skips > 0) {
      --skips;
      continue;
    }
    const double share = settings.kind == RS_EMA ? 1 - settings.ema_decay : 1.0 / (averaged + 1);
    for (size_t i = 0; i < expected.size(); ++i) {
      const double p = parameters[static_cast<int64_t>(i)];
      expected[i] = averaged == 0 ? p : expected[i] + share * (p - expected[i]);
    }
    ++averaged;
    CHECK(state.averaged == averaged && state.arrived == 0, "an average of %d parameters, not %d", int(state.averaged), averaged);
  }
  CHECK(averaged > 0 && state.average_skips == 0, "%d averaged", averaged);
  for (int64_t i = 0; i < count; ++i) {
    CHECK(std::fabs(average[i] - expected[static_cast<size_t>(i)]) <= 1e-6, "kind %d, %d of %d: %.9g, not %.9g", settings.kind,
          int(i), int(count), double(average[i]), expected[static_cast<size_t>(i)]);
  }
}

}  // namespace

int main() {
  for (const int64_t count : {1, 255, 257, 441, 1000}) {
    check_average({RS_EMA, 0.9, 0}, count, 0);
    check_average({RS_SWA, 0, 0}, count, 0);
    check_average({RS_SWA, 0, 0}, count, 3);
  }
  printf("average: all as expected\n");
  return 0;
}
