// The physical line: how fast this machine does the work of the benchmarks in C++ written for this one network.
// Not a rival to use, a limit to measure against: sizes are fixed, and batch 1 leaves the loss out.
//
//   g++ -std=gnu++17 -O3 -march=native -fopenmp line.cpp -o line    (no fast-math)
//   ./line [--quick] [seed] [batch] [forward] [ceilings]            (all of them without a name)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "ceilings.h"
#include "float64.h"
#include "measure.h"
#include "seed_plain.h"
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define LINE_AVX512 1
#include "batch.h"
#include "forward_batch.h"
#include "seed_registers.h"
#endif

namespace {

constexpr int64_t kSeedSteps = 10000;
constexpr int64_t kLargest = 1 << 20;

const int kMostThreads = std::thread::hardware_concurrency() > 1 ? 2 : 1;

void seed(const Measure& measure) {
  const Rows rows(kSeedSteps);
  const Parameters<double> expected = train64(rows, 1, kSeedSteps);
  const auto time = [&](const char* name, auto train) {
    Transposed p(start());
    train(p, rows.x.data(), rows.y.data(), kSeedSteps);
    const double error = require_close(name, p.parameters(), expected);
    measure.nanoseconds(name, "ns/step", kSeedSteps, error, [&] { train(p, rows.x.data(), rows.y.data(), kSeedSteps); });
  };
  time("seed-plain", train_plain);
#if LINE_AVX512
  time("seed-registers", train_registers);
#endif
}

void batch([[maybe_unused]] const Measure& measure) {
#if LINE_AVX512
  const Rows rows(kLargest);
  for (const int64_t size : {64, 1024, 16384, 1 << 20}) {
    constexpr int kCheckedSteps = 3;
    Rows own(size);
    const Parameters<double> expected = train64(own, size, kCheckedSteps);
    for (int threads = 1; threads <= kMostThreads; ++threads) {
      const std::string name = "batch-" + std::to_string(size) + "-t" + std::to_string(threads);
      BatchTrainer trainer(threads);
      const auto step = [&] { trainer.step(rows.x.data(), rows.y.data(), size); };
      for (int s = 0; s < kCheckedSteps; ++s) step();
      const double error = require_close(name.c_str(), trainer.parameters(), expected);
      measure.nanoseconds(name.c_str(), "ns/sample", static_cast<double>(size), error, step);
    }
  }
#endif
}

void forward(const Measure& measure) {
  const Rows rows(kLargest);
  std::vector<float> y(static_cast<size_t>(kLargest));
  std::vector<double> expected(y.size());
  const Parameters<double> wide = widen(start());
  for (size_t r = 0; r < y.size(); ++r) {
    double h[kHidden];
    expected[r] = forward64(wide, &rows.x[r * kInputs], h);
  }

  const Transposed p(start());
  const auto one_by_one = [&] {
    for (int64_t r = 0; r < kSeedSteps; ++r) y[static_cast<size_t>(r)] = forward_plain(p, &rows.x[static_cast<size_t>(r * kInputs)]);
  };
  one_by_one();
  const double error = require_close("forward-one", y.data(), expected.data(), kSeedSteps);
  measure.nanoseconds("forward-one", "ns/sample", kSeedSteps, error, one_by_one);

#if LINE_AVX512
  for (int threads = 1; threads <= kMostThreads; ++threads) {
    const std::string name = "forward-" + std::to_string(kLargest) + "-t" + std::to_string(threads);
    const Parameters<float> flat = start();
    const auto all = [&] { predict(flat, rows.x.data(), kLargest, threads, y.data()); };
    all();
    const double all_error = require_close(name.c_str(), y.data(), expected.data(), kLargest);
    measure.nanoseconds(name.c_str(), "ns/sample", static_cast<double>(kLargest), all_error, all);
  }
#endif
}

void ceilings(const Measure& measure) {
  constexpr int64_t kFloats = 1 << 27;  // 512 MiB: far more than any cache
  const std::unique_ptr<float[], decltype(&std::free)> data(
      static_cast<float*>(std::aligned_alloc(64, kFloats * sizeof(float))), &std::free);
  if (!data) {
    std::fprintf(stderr, "line: no 512 MiB of memory to read; the ceilings are left out\n");
    return;
  }
  std::fill(data.get(), data.get() + kFloats, 1.0f);
  volatile float kept;  // or the compiler would leave the work out
  for (int threads = 1; threads <= kMostThreads; ++threads) {
    const std::string suffix = "-t" + std::to_string(threads);
    measure.billions(("read" + suffix).c_str(), "GB/s", static_cast<double>(kFloats * sizeof(float)),
                     [&] { kept = read_all(data.get(), kFloats, threads); });
    constexpr int64_t kRounds = 1 << 20;
    measure.billions(("fma" + suffix).c_str(), "billion FMA/s", static_cast<double>(kRounds) * kChains * kVecFloats * threads,
                     [&] { kept = multiply_add(kRounds, threads); });
  }
}

}  // namespace

int main(int count, char** arguments) {
  bool quick = false, every = true;
  for (int i = 1; i < count; ++i) std::strcmp(arguments[i], "--quick") ? every = false : quick = true;
  const Measure measure(quick ? kQuick : kFull);
  const struct { const char* name; void (*run)(const Measure&); } parts[] = {
      {"seed", seed}, {"batch", batch}, {"forward", forward}, {"ceilings", ceilings}};
#if !LINE_AVX512
  std::fprintf(stderr, "line: compiled without AVX-512, which this CPU seems to lack: only plain loops and ceilings are timed\n");
#endif
  for (const auto& part : parts) {
    bool wanted = every;
    for (int i = 1; i < count; ++i) wanted = wanted || !std::strcmp(arguments[i], part.name);
    if (wanted) part.run(measure);
  }
}
