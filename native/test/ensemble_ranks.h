// Ensembles as C++ values, and ranks that are threads, each with a communicator.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "engine.h"

namespace test {

struct DestroyEnsemble {
  void operator()(rs_ensemble* ensemble) const { rs_ensemble_destroy(ensemble); }
};
using Ensemble = std::unique_ptr<rs_ensemble, DestroyEnsemble>;

struct Communicators {
  explicit Communicators(int size, double deadline = 60) : all(static_cast<size_t>(size)) {
    CHECK_OK(rs_local_communicators_create(size, deadline, all.data()));
  }
  ~Communicators() {
    for (rs_communicator* communicator : all) rs_communicator_destroy(communicator);
  }
  rs_communicator* operator[](int rank) const { return all[static_cast<size_t>(rank)]; }

  std::vector<rs_communicator*> all;
};

inline void on_ranks(int size, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) threads.emplace_back(body, r);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace test
