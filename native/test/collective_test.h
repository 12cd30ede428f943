// Ranks as threads of one test: a body for each, and what it threw.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "collective/communicator.h"
#include "collective/local.h"
#include "collective/mesh.h"
#include "collective/tcp.h"

namespace test {

using rs::collective::Communicator;
using rs::collective::Deadline;
using rs::collective::Element;
using rs::collective::Failure;

using Failures = std::vector<std::optional<Failure>>;  // of each rank

// Runs body(rank) on a thread for each rank.
inline Failures run_ranks(int size, const std::function<void(int)>& body) {
  Failures failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      try {
        body(r);
      } catch (const Failure& failure) {
        failures[static_cast<size_t>(r)] = failure;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

// The same with a communicator, which each rank closes in the end.
using Body = std::function<void(Communicator&)>;
using Backend = Failures (*)(int size, Deadline deadline, const Body& body);

inline Failures with_local(int size, Deadline deadline, const Body& body) {
  auto ranks = rs::collective::make_local(size, deadline);
  return run_ranks(size, [&](int r) {
    const auto own = std::move(ranks[static_cast<size_t>(r)]);
    body(*own);
  });
}

inline Failures with_tcp(int size, Deadline deadline, const Body& body) {
  std::vector<rs::collective::Socket> listeners;
  std::vector<rs::collective::Address> addresses;
  for (int r = 0; r < size; ++r) {
    listeners.push_back(rs::collective::Socket::listen("127.0.0.1"));
    addresses.push_back({"127.0.0.1", listeners.back().port()});
  }
  return run_ranks(size, [&](int r) {
    const auto own = rs::collective::make_tcp(listeners[static_cast<size_t>(r)], r, addresses, "a secret", deadline);
    body(*own);
  });
}

struct NamedBackend {
  const char* name;
  Backend run;
};

constexpr NamedBackend kBackends[] = {{"local", &with_local}, {"tcp", &with_tcp}};

inline void check_none(const Failures& failures, const std::string& what) {
  for (size_t r = 0; r < failures.size(); ++r) {
    CHECK(!failures[r], "%s: rank %zu: %s", what.c_str(), r, failures[r]->what());
  }
}

}  // namespace test
