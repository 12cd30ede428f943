// What the models of an ensemble learn from each other in a fit, and what is decided for all of them between two epochs: the
// rounds from one average to the next, the mean over all ranks, the training of all as one. It is the same for every engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "collective/communicator.h"
#include "collective/gradient_sum.h"
#include "ensemble.h"
#include "ensemble_fit.h"
#include "exact_mean.h"
#include "trainer.h"

namespace rs {

// What an engine's ensemble does for it.
class ExchangingEnsemble : public rs_ensemble {
 public:
  using rs_ensemble::rs_ensemble;

  enum class Weights { kParameters, kAverage };  // the average where a model keeps one, else its parameters
  enum class OptimizerState { kGoesOn, kBeginsAnew };
  using Reader = std::function<void(int64_t i, const float* parameters)>;

  virtual ModelBooks& books(int32_t model) = 0;

  // Trains every model to its step_limit, its pause or its end; false where the time was up before.
  virtual bool train(const EnsembleFit& fitting) = 0;

  // Calls read(i, parameters) for every models[i], which are in ascending order; from any thread.
  virtual void read_models(const std::vector<int32_t>& models, Weights weights, const Reader& read) = 0;

  // The models whose which[k] is not 0 take these parameters.
  virtual void change_models(const int32_t* which, const float* parameters, OptimizerState state) = 0;

  // Over all rows.
  virtual double loss_of(const float* parameters, const rs_dataset& data, const float* target_scale) = 0;

  // Calls use(trainer) with one that is what model 0 is, and has all of the engine to itself; the same one each time. Then
  // all models become what it is, but for their books.
  virtual void as_one(const std::function<void(rs_trainer&)>& use) = 0;
};

class EnsembleExchange {
 public:
  // `threads` add up the means.
  EnsembleExchange(ExchangingEnsemble& ensemble, int threads);

  void set_communicator(collective::Communicator* communicator);

  // One call of rs_ensemble_fit: enters the steps that were taken, and which of them failed.
  void fit(const EnsembleFit& fitting);

  // Where the last fit exchanged.
  void validate(const rs_dataset& data, const float* target_scale, const int32_t* which, double* losses);
  void keep(const int32_t* which);
  void take(const int32_t* which);

  double mean_loss(const double* losses);

 private:
  using Weights = ExchangingEnsemble::Weights;

  // What ranks hear of each other at the end of a slice of time, each number summed over them.
  struct Meeting {
    int64_t late;    // ranks that have not come to the end of the round
    int64_t stops;   // ranks that want to stop
    int64_t undone;  // models that are not done
  };

  void begin(const rs_ensemble_run& run);
  bool train(const EnsembleFit& fitting);
  bool train_averaged(const EnsembleFit& fitting);
  Meeting meet(const EnsembleFit& fitting, bool arrived);
  void average();
  bool fit_as_one(const EnsembleFit& fitting);
  void train_as_one(rs_trainer& trainer, const EnsembleFit& fitting);
  void begin_as_rank_zero(rs_trainer& trainer);
  void leave_ranks();
  void copy_books(const EnsembleFit& fitting);

  int64_t undone(const EnsembleFit& fitting) const;
  std::vector<int32_t> sound_models() const;
  bool mean(Weights weights, float* mean);
  std::vector<float> learned();

  ExchangingEnsemble& ensemble_;
  const int threads_;
  ExactMean mean_, loss_mean_;
  std::vector<double> weights_;  // what each model counts in the mean; empty where all count the same
  std::vector<float> learned_;   // what was validated last
  std::vector<float> kept_;      // of that, for `take`; empty where nothing was kept

  // Null where this ensemble is alone.
  collective::Communicator* communicator_ = nullptr;
  std::unique_ptr<collective::GradientSum> ranks_, loss_ranks_;
  rs_trainer* joined_ = nullptr;  // that trains with the other ranks
};

}  // namespace rs
