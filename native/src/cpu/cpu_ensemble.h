// Many models of one shape in training on the CPU.
//
// Each model is a Trainer, so it is the same model whichever way it is trained. Where steps have few rows, 16
// models at a time pass through the lanes of a thread (lane_group.h); all else the trainers do themselves, one
// a thread.
#pragma once

#include <memory>
#include <vector>

#include "cpu/cpu_trainer.h"
#include "cpu/evaluation.h"
#include "cpu/lane_group.h"
#include "ensemble_exchange.h"

namespace rs::cpu {

class Ensemble final : public ExchangingEnsemble {
 public:
  Ensemble(Network network, const Settings& settings, const rs_ensemble_options& options);

  void initialize(const uint64_t* seeds) override;
  void get_parameters(int32_t model, float* parameters) override;
  void set_parameters(int32_t model, const float* parameters) override;
  void set_learning_rates(const double* lr) override;

  void step(const float* x, const float* y, int64_t rows) override;
  void losses(double* losses) override;
  void failures(int64_t* steps) override;

  void set_communicator(collective::Communicator* communicator) override { exchanges_.set_communicator(communicator); }
  bool one_optimizer() const override;
  void fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) override;
  void evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                double* losses) override;
  void predict(const float* x, int64_t rows, float* y) override;

  void validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                const int32_t* which, double* losses) override;
  void keep(const int32_t* which) override;
  void take(const int32_t* which) override;
  double mean_loss(const double* losses) override { return exchanges_.mean_loss(losses); }

 private:
  struct Model : ModelBooks {
    std::unique_ptr<Trainer> trainer;
    std::vector<float> kept;  // parameters, for `take`; empty where there are none
  };

  using Fitting = EnsembleFit;

  // For exchanges.
  ModelBooks& books(int32_t model) override { return models_of_[static_cast<size_t>(model)]; }
  bool train(const Fitting& fitting) override;
  void read_models(const std::vector<int32_t>& models, Weights weights, const Reader& read) override;
  void change_models(const int32_t* which, const float* parameters, OptimizerState state) override;
  double loss_of(const float* parameters, const rs_dataset& data, const float* target_scale) override;
  void as_one(const std::function<void(rs_trainer&)>& use) override;

  template <typename F>
  void with_scratch(Model& model, int worker, F f);
  template <typename F>
  void for_models(const int32_t* which, F f);
  template <typename F>
  void for_models(F f) { for_models(nullptr, f); }
  template <typename F>
  void share_out(int64_t count, F f);
  bool takes_lanes(const Fitting& fitting, int32_t model) const;
  void train_in_lanes(const Fitting& fitting, const std::vector<int32_t>& models);
  void train_alone(const Fitting& fitting, int32_t model);
  template <typename F>
  void share_models(const int32_t* which, F f);
  template <typename ParametersOf>
  void evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                const int32_t* which, ParametersOf parameters_of, double* losses);
  void order_by_size(const Fitting& fitting);
  std::vector<int32_t> due_by_size(const Fitting& fitting);

  const int threads_;
  const rs_optimizer_kind kind_;
  std::vector<Model> models_of_;
  std::vector<Scratch> scratch_;                       // of each worker
  std::vector<Evaluation::Memory> evaluation_memory_;  // likewise
  std::vector<std::unique_ptr<LaneGroup>> lanes_;      // of each worker, made when first needed

  // All models, those with most rows first, and the rows that each had then.
  std::vector<int32_t> by_size_;
  std::vector<int64_t> sizes_;

  std::unique_ptr<Trainer> validator_;  // of what models that exchange have learned
  EnsembleExchange exchanges_;
};

}  // namespace rs::cpu
