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

// On one thread; model k has lr[k] and starts as seeds[k] has it.
inline Ensemble make_ensemble(const std::vector<int32_t>& sizes, rs_activation activation, const rs_optimizer& optimizer,
                              const std::vector<double>& lr, const std::vector<uint64_t>& seeds, rs_engine engine = RS_ENGINE_CPU) {
  rs_ensemble_options options = {};
  options.model.sizes = sizes.data();
  options.model.size_count = static_cast<int32_t>(sizes.size());
  options.model.activation = activation;
  options.model.optimizer = optimizer;
  options.model.threads = 1;
  options.model.engine = engine;
  options.models = static_cast<int32_t>(lr.size());
  options.lr = lr.data();
  rs_ensemble* made = nullptr;
  CHECK_OK(rs_ensemble_create(&options, &made));
  Ensemble ensemble(made);
  CHECK_OK(rs_ensemble_init(made, seeds.data()));
  return ensemble;
}

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
