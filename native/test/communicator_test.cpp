// Every backend that needs no installation: sums, and an end to every wait, with the rank to blame.
#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>

#include "bits.h"
#include "collective_test.h"
#include "random.h"
#include "sanitizers.h"

using namespace test;

namespace {

constexpr Deadline kLong(TEST_SLOW ? 120000 : 30000), kShort(300);

int64_t integer_of(int rank, int64_t i) { return (rank + 1) * 1000003 + i * 7919 - (i % 3) * 123456789; }

// Sums of integers have one answer; those of floats must be near it and have the same bits everywhere.
void sums(const NamedBackend& backend, int size, int64_t count) {
  const std::string what = std::string(backend.name) + ", " + std::to_string(size) + " ranks, " + std::to_string(count) + " values";
  std::vector<std::vector<float>> floats(static_cast<size_t>(size));
  check_none(backend.run(size, kLong, [&](Communicator& ranks) {
    CHECK(ranks.size() == size && std::string(ranks.name()) == backend.name, "%s", what.c_str());
    std::vector<int64_t> integers(static_cast<size_t>(count));
    std::vector<double> doubles(integers.size());
    std::vector<float>& own = floats[static_cast<size_t>(ranks.rank())];
    own.resize(integers.size());
    for (int round = 0; round < 3; ++round) {
      for (int64_t i = 0; i < count; ++i) {
        const size_t at = static_cast<size_t>(i);
        integers[at] = integer_of(ranks.rank(), i + round);
        doubles[at] = static_cast<double>(integers[at]);
        own[at] = 1.0f / static_cast<float>(3 * i + ranks.rank() + 1);
      }
      ranks.all_reduce(integers.data(), count, Element::kInt64);
      ranks.all_reduce(own.data(), count, Element::kFloat32);
      ranks.all_reduce(doubles.data(), count, Element::kFloat64);
      for (int64_t i = 0; i < count; ++i) {
        int64_t expected = 0;
        double near = 0;
        for (int r = 0; r < size; ++r) expected += integer_of(r, i + round), near += 1.0 / static_cast<double>(3 * i + r + 1);
        const size_t at = static_cast<size_t>(i);
        CHECK(integers[at] == expected, "%s: value %lld", what.c_str(), static_cast<long long>(i));
        CHECK(doubles[at] == static_cast<double>(expected), "%s: value %lld", what.c_str(), static_cast<long long>(i));
        CHECK(std::fabs(own[at] / near - 1) < 1e-6, "%s: %g is not %g", what.c_str(), own[at], near);
      }
    }
  }), what);
  for (const std::vector<float>& other : floats) {
    CHECK(std::memcmp(other.data(), floats[0].data(), other.size() * sizeof(float)) == 0, "%s: ranks differ", what.c_str());
  }
}

void the_rest(const NamedBackend& backend, int size) {
  std::atomic<int> arrived{0};
  check_none(backend.run(size, kLong, [&](Communicator& ranks) {
    for (int root = 0; root < size; ++root) {
      std::string text = ranks.rank() == root ? "root " + std::to_string(root) + "!" : "???????";
      ranks.broadcast(text.data(), static_cast<int64_t>(text.size()), root);
      CHECK(text == "root " + std::to_string(root) + "!", "%s: '%s'", backend.name, text.c_str());
    }
    std::vector<char> all(static_cast<size_t>(3 * size));
    const char own[3] = {'r', static_cast<char>('0' + ranks.rank()), '\xff'};
    ranks.all_gather(own, 3, all.data());
    for (int r = 0; r < size; ++r) {
      CHECK(all[static_cast<size_t>(3 * r + 1)] == '0' + r && all[static_cast<size_t>(3 * r + 2)] == '\xff', "%s: gather", backend.name);
    }
    arrived += 1;
    ranks.barrier();
    CHECK(arrived == size, "%s: a barrier that %d of %d had reached", backend.name, arrived.load(), size);
  }), backend.name);
}

// Every rank but the culprit must fail, and name it.
void check_culprit(const NamedBackend& backend, const char* what, const Failures& failures, int culprit, bool exactly = true) {
  for (int r = 0; r < static_cast<int>(failures.size()); ++r) {
    const auto& failure = failures[static_cast<size_t>(r)];
    if (r == culprit) continue;
    CHECK(failure, "%s, %s: rank %d did not fail", backend.name, what, r);
    CHECK(!exactly || failure->rank == culprit, "%s, %s: rank %d blames rank %d: %s", backend.name, what, r, failure->rank, failure->what());
  }
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void a_rank_that_hangs(const NamedBackend& backend, int size) {
  std::atomic<int> failed{0};
  const int culprit = size - 1;
  const auto start = std::chrono::steady_clock::now();
  const Failures failures = backend.run(size, kShort, [&](Communicator& ranks) {
    ranks.barrier();
    if (ranks.rank() == culprit) {
      while (failed < size - 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return;
    }
    try {
      ranks.barrier();
    } catch (const Failure&) {
      failed += 1;
      throw;
    }
  });
  // In a tree one may hear of it by way of another, who waits as long.
  CHECK(seconds_since(start) < (TEST_SLOW ? 60 : 10), "%s: %g s", backend.name, seconds_since(start));
  check_culprit(backend, "hang", failures, culprit, size == 2 || std::string(backend.name) == "local");
}

void a_rank_that_leaves(const NamedBackend& backend, int size) {
  const Failures failures = backend.run(size, kLong, [&](Communicator& ranks) {
    ranks.barrier();
    if (ranks.rank() == 1) {
      ranks.close();
      return;
    }
    for (int i = 0; i < 3; ++i) ranks.barrier();
  });
  check_culprit(backend, "leave", failures, 1);
  for (size_t r = 0; r < failures.size(); ++r) {
    if (r != 1) CHECK(failures[r]->kind == Failure::kRankLost, "%s: rank %zu: %s", backend.name, r, failures[r]->what());
  }
}

// From another thread, amid an operation: it ends at once, here and elsewhere, and so does every later one.
void an_abort(const NamedBackend& backend, int size) {
  std::atomic<Communicator*> waiting{nullptr};
  std::atomic<bool> aborted{false};
  const auto start = std::chrono::steady_clock::now();
  std::thread aborter([&] {
    while (!waiting) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    waiting.load()->abort(size - 1, "rank 9 was seen to fail");
    aborted = true;
  });
  const Failures failures = backend.run(size, kLong, [&](Communicator& ranks) {
    ranks.barrier();
    // One comes late; some operations may still be complete without the rank that was aborted.
    if (ranks.rank() == size - 1) aborter.join();
    if (ranks.rank() == 0) waiting = &ranks;
    try {
      for (int i = 0; i < 4; ++i) ranks.barrier();
    } catch (const Failure&) {
      while (!aborted) std::this_thread::yield();  // before this rank's communicator is gone
      ranks.barrier();  // fails again, in the same way
    }
  });
  CHECK(seconds_since(start) < kLong.count() / 2e3, "%s: %g s", backend.name, seconds_since(start));
  for (const auto& failure : failures) {
    CHECK(failure && failure->kind == Failure::kAborted && failure->rank == size - 1 &&
              std::string(failure->what()) == "rank 9 was seen to fail",
          "%s: %s", backend.name, failure ? failure->what() : "no failure");
  }
}

void other_lengths(const NamedBackend& backend, int size) {
  const Failures failures = backend.run(size, kShort, [&](Communicator& ranks) {
    std::vector<float> values(ranks.rank() == 0 ? 100 : 99);
    ranks.all_reduce(values.data(), static_cast<int64_t>(values.size()), Element::kFloat32);
  });
  for (const auto& failure : failures) {
    CHECK(failure && failure->kind == Failure::kMismatch, "%s: %s", backend.name, failure ? failure->what() : "no failure");
  }
}

}  // namespace

int main() {
  for (const NamedBackend& backend : kBackends) {
    for (int size : {1, 2, 3, 4, 5, 7, 8}) {
      for (int64_t count : {1, 2, 7, 241, 4096, 8191}) sums(backend, size, count);
      the_rest(backend, size);
    }
    for (int64_t count : {100000, 1000003}) sums(backend, TEST_SLOW ? 2 : 3, TEST_SLOW ? count / 10 : count);
    for (int size : {2, 3, 4}) {
      a_rank_that_hangs(backend, size);
      a_rank_that_leaves(backend, size);
      an_abort(backend, size);
    }
    other_lengths(backend, 2);
    std::printf("%s: all sums, all failures\n", backend.name);
  }
  return 0;
}
