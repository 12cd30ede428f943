// A network in training, whatever it runs on: what the C ABI needs of an engine. cpu/cpu_trainer.h is the CPU's.
//
// Arguments are checked before they come here. The functions throw std::bad_alloc where memory runs out and
// rs::DeviceError or std::runtime_error, with the whole reason, for all else.
#pragma once

#include <atomic>
#include <stdexcept>

#include "collective/gradient_sum.h"
#include "dataset.h"
#include "network.h"
#include "ringstep.h"
#include "settings.h"

struct rs_trainer {
 public:
  explicit rs_trainer(rs::Network network, const rs::Settings& settings = {})
      : network_(std::move(network)), settings_(settings) {}
  virtual ~rs_trainer() = default;
  rs_trainer(const rs_trainer&) = delete;
  rs_trainer& operator=(const rs_trainer&) = delete;

  const rs::Network& network() const { return network_; }
  const rs::Settings& settings() const { return settings_; }
  int32_t target_width() const { return rs::target_width(settings_.loss.kind, network_.outputs()); }

  // What computes a step on `batch` rows, in a word.
  virtual const char* path(int64_t batch) const = 0;

  virtual double last_loss() const = 0;
  virtual void initialize(uint64_t seed) = 0;
  virtual void get_parameters(float* parameters) const = 0;
  virtual void set_parameters(const float* parameters) = 0;
  virtual void set_learning_rate(double lr) = 0;

  // Checkpoints; see rs_trainer_get_state.
  virtual int64_t state_count() const = 0;
  virtual void get_state(float* moments, rs_optimizer_state& state) const = 0;
  virtual void set_state(const float* moments, const rs_optimizer_state& state) = 0;

  virtual rs_status step(const float* x, const float* y, int64_t rows) = 0;
  virtual double gradient(const float* x, const float* y, int64_t rows, float* gradient) = 0;
  virtual rs_status fit(const rs_dataset& data, rs_fit& fit) = 0;
  virtual double evaluate(const rs_dataset& data, const float* target_scale) = 0;
  virtual void predict(const float* x, int64_t rows, float* y) = 0;

  // The average of the parameters that a fit keeps, for engines that keep one.
  virtual int64_t averaged() const { return 0; }
  virtual void get_average(float*) const {}
  virtual void set_average(const float*, int64_t) { throw std::runtime_error("this engine keeps no average"); }
  virtual void swap_average() {}

  // Trains with the other ranks of a job from now on, or alone where it is null.
  virtual void set_communicator(rs::collective::Communicator* communicator, rs::collective::GradientSum::Reduce reduce) {
    static_cast<void>(reduce);
    if (communicator) throw std::runtime_error("this engine cannot train with other ranks");
  }

  // Whether a fit under way shall end; from any thread.
  void set_stop(bool stop) { stop_.store(stop, std::memory_order_relaxed); }

 protected:
  bool wants_stop() const { return stop_.load(std::memory_order_relaxed); }

  const rs::Network network_;
  const rs::Settings settings_;

 private:
  std::atomic<bool> stop_{false};
};
