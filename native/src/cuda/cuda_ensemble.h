// Many models of one shape in training on one GPU: networks that have fused kernels, in steps of up to 1024 rows. What
// else the CPU's ensembles can do is refused.
//
// All models take their steps in one launch of the persistent kernel, each with its weights and the optimizer's moments on
// chip. A model goes through the same steps as a Trainer's, so that it has the same bits. Models that exchange gradients are
// one trainer's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/dataset_rows.h"
#include "cuda/device.h"
#include "cuda/gradient.h"
#include "cuda/memory.h"
#include "cuda/staging.h"
#include "cuda/stream.h"
#include "ensemble_exchange.h"

namespace rs::cuda {

class Trainer;

class Ensemble final : public ExchangingEnsemble {
 public:
  // The device must be the calling thread's. Throws DeviceError where an option is none of a GPU's.
  Ensemble(Network network, const rs_ensemble_options& options, Device& device);
  ~Ensemble() override;

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
  double mean_loss(const double* losses) override { return exchanges_.mean_loss(losses); }

 private:
  // What the host knows of a model. Its parameters are on the device.
  struct Model : ModelBooks {
    gpu::OptimizerState optimizer;
    double last_loss;
    bool kept = false;     // kept_ has parameters of its
    int64_t averaged = 0;  // parameters that its average is of
  };

  // Models that one launch can take: their steps have the same form.
  struct Form {
    bool shuffled;
    int64_t batch;
    bool operator==(const Form& other) const { return shuffled == other.shuffled && batch == other.batch; }
  };

  struct Fitting;

  // For exchanges.
  ModelBooks& books(int32_t model) override { return state_[static_cast<size_t>(model)]; }
  bool train(const EnsembleFit& fit) override;
  void read_models(const std::vector<int32_t>& models, Weights weights, const Reader& read) override;
  void change_models(const int32_t* which, const float* parameters, OptimizerState state) override;
  double loss_of(const float* parameters, const rs_dataset& data, const float* target_scale) override;
  void as_one(const std::function<void(rs_trainer&)>& use) override;

  void reset(int32_t model);

  void require_plain(const EnsembleFit& fitting) const;
  bool is_due(const Fitting& fitting, int32_t model) const;
  void launch(const Fitting& fitting, Form form);
  int64_t prepare(const Fitting& fitting, int32_t model, int64_t epochs);
  void enter(const Fitting& fitting, int32_t model, int64_t epochs);
  void run_kernel(gpu::LatencySteps task, gpu::LatencyRule rule, const Deadline& deadline);
  Trainer& trainer();
  void copy_to_trainer();
  void copy_from_trainer();
  void spread(float* models, int64_t count);
  void evaluate_some(const rs_dataset& data, const int64_t* first_rows, const int64_t* row_counts, const float* target_scales,
                     const std::vector<int32_t>& models, Weights weights, double* losses);
  void copy_some(const int32_t* which, float* to, const float* from);
  void copy_learned(const int32_t* which, float* to);
  float* parameters_of(int64_t model) const { return parameters_.get() + model * gradients_.length(); }
  const float* weights_of(int64_t model, Weights weights) const;

  Device& device_;
  Stream stream_;
  Gradient gradients_;
  std::vector<Model> state_;
  const gpu::LatencyRule rule_;             // that does for every model's optimizer

  DeviceArray<float> parameters_;           // [models][length]
  DeviceArray<float> m_, v_;                // likewise, the optimizers' moments, where they have any
  DeviceArray<float> average_;              // likewise, the averages of parameters, once a fit keeps any
  DeviceArray<float> kept_;                 // likewise, parameters that were kept, once any were
  DeviceArray<gpu::LatencyModel> models_on_device_;
  DeviceArray<double> losses_;              // [models][epochs] that end within a launch
  DeviceArray<float> staged_x_, staged_y_;  // rows of the host's
  DeviceArray<float> loss_weights_;         // [models], of evaluate
  DeviceArray<float> row_losses_;           // of evaluate

  Staging staging_;
  PinnedArray<gpu::LatencyModel> seen_;     // [models], as they go to the device and come back
  PinnedArray<double> seen_losses_;
  PinnedArray<int32_t> stop_;               // what the kernel looks at
  Event done_;

  std::unique_ptr<Trainer> trainer_;        // that all models are in turn, see as_one; made when first needed
  EnsembleExchange exchanges_;
};

}  // namespace rs::cuda
