// Times a function and prints what came out, one line of JSON each.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

struct Schedule {
  int runs;
  double seconds;  // of one run: long enough for the clock, and for short disturbances to average out
};
constexpr Schedule kFull = {21, 0.05}, kQuick = {5, 0.02};

class Measure {
 public:
  explicit Measure(Schedule schedule) : schedule_(schedule) {}

  // `work()` does `count` things, each of which takes so many nanoseconds.
  template <typename F>
  void nanoseconds(const char* name, const char* unit, double count, double error, F work) const {
    std::vector<double> values = runs(work);
    for (double& v : values) v = v / count * 1e9;
    print(name, unit, values, error);
  }

  // `work()` does `count` things; so many billions of them are done in a second.
  template <typename F>
  void billions(const char* name, const char* unit, double count, F work) const {
    std::vector<double> values = runs(work);
    for (double& v : values) v = count / v * 1e-9;
    print(name, unit, values, 0);
  }

 private:
  // Seconds of one call, in each run.
  template <typename F>
  std::vector<double> runs(F work) const {
    long calls = 0;  // that fit into one run; counting them is the warm-up
    for (const double start = now(); now() - start < schedule_.seconds; ++calls) work();
    std::vector<double> values;
    for (int r = 0; r < schedule_.runs; ++r) {
      const double start = now();
      for (long c = 0; c < calls; ++c) work();
      values.push_back((now() - start) / static_cast<double>(calls));
    }
    return values;
  }

  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  static void print(const char* name, const char* unit, std::vector<double> values, double error) {
    std::sort(values.begin(), values.end());
    std::printf("{\"name\": \"%s\", \"median\": %.5g, \"min\": %.5g, \"max\": %.5g, \"unit\": \"%s\", \"runs\": %zu, \"error\": %.2g}\n",
                name, values[values.size() / 2], values.front(), values.back(), unit, values.size(), error);
    std::fflush(stdout);
  }

  const Schedule schedule_;
};
