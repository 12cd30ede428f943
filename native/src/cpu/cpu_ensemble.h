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
#include "cpu/exact_mean.h"
#include "cpu/lane_group.h"
#include "ensemble.h"
#include "ensemble_fit.h"

namespace rs::cpu {

class Ensemble final : public rs_ensemble {
 public:
  Ensemble(Network network, const Settings& settings, const rs_ensemble_options& options);

  void initialize(const uint64_t* seeds) override;
  void get_parameters(int32_t model, float* parameters) override;
  void set_parameters(int32_t model, const float* parameters) override;
  void set_learning_rates(const double* lr) override;

  void step(const float* x, const float* y, int64_t rows) override;
  void losses(double* losses) override;
  void failures(int64_t* steps) override;

  void set_communicator(collective::Communicator* communicator) override;
  bool one_optimizer() const override;
  void fit(const rs_dataset& data, rs_fit* fits, rs_ensemble_run& run) override;
  void evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                double* losses) override;
  void predict(const float* x, int64_t rows, float* y) override;

  void validate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                const int32_t* which, double* losses) override;
  void keep(const int32_t* which) override;
  void take(const int32_t* which) override;
  double mean_loss(const double* losses) override;
  bool validates_exchanges() const override { return true; }

 private:
  struct Model {
    std::unique_ptr<Trainer> trainer;
    std::vector<float> kept;  // parameters, for `take`; empty where there are none
    int64_t steps = 0;   // since its parameters were set
    int64_t failed = 0;  // the step whose loss was not finite; 0 while it trains, below 0 where the number is to come
  };

  using Fitting = EnsembleFit;

  // What ranks hear of each other at the end of a slice of time, each number summed over them.
  struct Meeting {
    int64_t late;    // ranks that have not come to the end of the round
    int64_t stops;   // ranks that want to stop
    int64_t undone;  // models that are not done
  };

  template <typename F>
  void for_models(const int32_t* which, F f);
  template <typename F>
  void for_models(F f) { for_models(nullptr, f); }
  template <typename F>
  void share_out(int64_t count, F f);
  bool takes_lanes(const Fitting& fitting, int32_t model) const;
  bool train(const Fitting& fitting);
  void train_in_lanes(const Fitting& fitting, const std::vector<int32_t>& models);
  void train_alone(const Fitting& fitting, int32_t model);
  template <typename F>
  void share_models(const int32_t* which, F f);
  template <typename ParametersOf>
  void evaluate(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                const int32_t* which, ParametersOf parameters_of, double* losses);
  void order_by_size(const Fitting& fitting);
  std::vector<int32_t> due_by_size(const Fitting& fitting);
  template <typename F>
  bool mean(F parameters_of, float* mean);
  void average();
  Meeting meet(const Fitting& fitting, bool arrived);
  bool train_averaged(const Fitting& fitting);
  bool fit_as_one(const Fitting& fitting);
  void begin_as_rank_zero();
  void copy_first(const Fitting& fitting);
  std::vector<float> learned();
  double evaluate_learned(const rs_dataset& data, const float* target_scale);

  const int threads_;
  const rs_optimizer_kind kind_;
  std::vector<Model> models_of_;
  std::vector<Scratch> scratch_;                   // of each worker
  std::vector<Evaluation::Memory> evaluation_memory_;  // likewise
  std::vector<std::unique_ptr<LaneGroup>> lanes_;  // of each worker, made when first needed

  // All models, those with most rows first, and the rows that each had then.
  std::vector<int32_t> by_size_;
  std::vector<int64_t> sizes_;

  ExactMean mean_, loss_mean_;

  // Of models that exchange: what each counts in the mean, empty where all count the same; what was validated last, and by
  // whom; and what is kept of that, for `take`.
  std::vector<double> weights_;
  std::vector<float> learned_, kept_;
  std::unique_ptr<Trainer> validator_;

  // Null where this ensemble is alone.
  collective::Communicator* communicator_ = nullptr;
  std::unique_ptr<collective::GradientSum> ranks_, loss_ranks_;
};

}  // namespace rs::cpu
