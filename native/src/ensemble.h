// Many models of one shape in training, whatever they run on: what the C ABI needs of an engine.
// cpu/cpu_ensemble.h is the CPU's. The contract is that of trainer.h.
#pragma once

#include <atomic>
#include <utility>

#include "collective/communicator.h"
#include "dataset.h"
#include "network.h"
#include "ringstep.h"
#include "settings.h"

struct rs_ensemble {
 public:
  rs_ensemble(rs::Network network, const rs::Settings& settings, int32_t models)
      : network_(std::move(network)), settings_(settings), models_(models) {}
  virtual ~rs_ensemble() = default;
  rs_ensemble(const rs_ensemble&) = delete;
  rs_ensemble& operator=(const rs_ensemble&) = delete;

  const rs::Network& network() const { return network_; }
  const rs::Settings& settings() const { return settings_; }
  int32_t target_width() const { return rs::target_width(settings_.loss.kind, network_.outputs()); }
  int32_t models() const { return models_; }

  virtual void initialize(const uint64_t* seeds) = 0;
  virtual void get_parameters(int32_t model, float* parameters) = 0;
  virtual void set_parameters(int32_t model, const float* parameters) = 0;
  virtual void set_learning_rates(const double* lr) = 0;

  virtual void step(const float* x, const float* y, int64_t rows) = 0;
  virtual void losses(double* losses) = 0;
  virtual void failures(int64_t* steps) = 0;

  // Whether all models have one optimizer, as the exchange of gradients needs.
  virtual bool one_optimizer() const = 0;
  virtual void fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) = 0;
  virtual void evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts,
                        const float* target_scales, double* losses) = 0;
  virtual void predict(const float* x, int64_t rows, float* y) = 0;

  // Exchanges with the other ranks' ensembles from now on, or with none where it is null.
  virtual void set_communicator(rs::collective::Communicator* communicator) = 0;

  // Whether a fit that exchanges with other ranks shall end; from any thread.
  void set_stop(bool stop) { stop_.store(stop, std::memory_order_relaxed); }
  bool wants_stop() const { return stop_.load(std::memory_order_relaxed); }

  // Between two calls of fit; see rs_ensemble_validate.
  virtual void validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                        const int32_t* which, double* losses) = 0;
  virtual void keep(const int32_t* which) = 0;
  virtual void take(const int32_t* which) = 0;

  // The mean of each model's loss, over those of all ranks; see rs_ensemble_mean_loss.
  virtual double mean_loss(const double* losses) = 0;

  // Of the last fit: what models that exchanged have learned together is what is validated, kept and taken.
  rs_exchange exchange() const { return exchange_; }
  void set_exchange(rs_exchange exchange) { exchange_ = exchange; }

 protected:
  const rs::Network network_;
  const rs::Settings settings_;
  const int32_t models_;

 private:
  rs_exchange exchange_ = RS_EXCHANGE_NEVER;
  std::atomic<bool> stop_{false};
};
