// What an ensemble says of each model over rows of its own has the bits that a trainer with the same parameters computes over
// these rows alone: for groups of no rows, of fewer than a batch, and of several blocks; for every loss, weights of samples,
// scales of targets, dropout and collapsed networks; whatever the number of threads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "bits.h"
#include "engine.h"
#include "optimizers.h"

using test::Dataset;
using test::Random;
using test::Trainer;

namespace {

const std::vector<int64_t> kRows = {9, 0, 1, 2, 300, 7, 8, 3, 15, 16, 17, 0, 31, 32, 33, 255, 256, 257, 64, 1100, 5, 55};

struct Setup {
  std::string name;
  std::vector<int32_t> sizes;
  rs_activation activation;
  rs_loss loss = {RS_MSE, 0};
  bool weighted = false, scaled = false, collapsed = false;
  double dropout = 0;
};

rs_trainer_options options_of(const Setup& setup, int32_t threads) {
  rs_trainer_options options = {};
  options.sizes = setup.sizes.data();
  options.size_count = static_cast<int32_t>(setup.sizes.size());
  options.activation = setup.activation;
  options.optimizer = test::sgd(0.01, 0, false, 0);
  options.loss = setup.loss;
  options.dropout = setup.dropout;
  options.collapse = setup.collapsed;
  options.threads = threads;
  return options;
}

int32_t targets_of(const Setup& setup) { return setup.loss.kind == RS_CROSS_ENTROPY ? 1 : setup.sizes.back(); }

Dataset random_rows(const Setup& setup, int64_t rows) {
  Dataset data = test::random_dataset(rows, setup.sizes.front(), targets_of(setup), 3);
  float* y = rs_dataset_y(data.get());
  for (int64_t i = 0; i < rows * targets_of(setup); ++i) {
    if (setup.loss.kind == RS_BCE) y[i] = std::fabs(y[i]);
    if (setup.loss.kind == RS_CROSS_ENTROPY) y[i] = static_cast<float>(i % setup.sizes.back());
  }
  if (setup.weighted) {
    float* weights = nullptr;
    CHECK_OK(rs_dataset_weights(data.get(), &weights));
    for (int64_t i = 0; i < rows; ++i) weights[i] = static_cast<float>(i % 4) / 2;
  }
  return data;
}

Dataset cut(const Setup& setup, rs_dataset* data, int64_t first, int64_t rows) {
  const int64_t in = setup.sizes.front(), out = targets_of(setup);
  rs_dataset* own = nullptr;
  CHECK_OK(rs_dataset_create(rows, setup.sizes.front(), targets_of(setup), &own));
  std::copy_n(rs_dataset_x(data) + first * in, rows * in, rs_dataset_x(own));
  std::copy_n(rs_dataset_y(data) + first * out, rows * out, rs_dataset_y(own));
  if (setup.weighted) {
    float *all = nullptr, *some = nullptr;
    CHECK_OK(rs_dataset_weights(data, &all));
    CHECK_OK(rs_dataset_weights(own, &some));
    std::copy_n(all + first, rows, some);
  }
  return Dataset(own);
}

double loss_alone(const Setup& setup, const std::vector<float>& parameters, rs_dataset* data, const float* scale) {
  const rs_trainer_options options = options_of(setup, 1);
  rs_trainer* made = nullptr;
  CHECK_OK(rs_trainer_create(&options, &made));
  const Trainer trainer(made);
  CHECK_OK(rs_trainer_set_parameters(made, parameters.data(), static_cast<int64_t>(parameters.size())));
  double loss = 0;
  CHECK_OK(rs_trainer_evaluate(made, data, scale, &loss));
  return loss;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void check(const Setup& setup, int32_t threads) {
  const int32_t models = static_cast<int32_t>(kRows.size()), outputs = setup.sizes.back();
  rs_ensemble_options options = {};
  options.model = options_of(setup, threads);
  options.models = models;
  rs_ensemble* ensemble = nullptr;
  CHECK_OK(rs_ensemble_create(&options, &ensemble));
  std::vector<uint64_t> seeds;
  std::vector<int64_t> first;
  std::vector<int32_t> which;
  std::vector<float> scales;
  int64_t rows = 0;
  Random random(5);
  for (int32_t k = 0; k < models; ++k) {
    seeds.push_back(random.bits());
    first.push_back(rows);
    rows += kRows[static_cast<size_t>(k)];
    which.push_back(k % 3 != 1);
    for (int32_t o = 0; o < outputs; ++o) scales.push_back(random.uniform(0.5f, 2));
  }
  CHECK_OK(rs_ensemble_init(ensemble, seeds.data()));
  const Dataset data = random_rows(setup, rows);
  const float* scale = setup.scaled ? scales.data() : nullptr;
  std::vector<double> all(kRows.size()), whole(kRows.size()), some(kRows.size(), -1);
  CHECK_OK(rs_ensemble_evaluate(ensemble, data.get(), nullptr, nullptr, scale, whole.data()));
  CHECK_OK(rs_ensemble_evaluate(ensemble, data.get(), first.data(), kRows.data(), scale, all.data()));
  CHECK_OK(rs_ensemble_validate(ensemble, data.get(), first.data(), kRows.data(), scale, which.data(), some.data()));
  for (size_t k = 0; k < kRows.size(); ++k) {
    std::vector<float> parameters(static_cast<size_t>(rs_ensemble_parameter_count(ensemble)));
    CHECK_OK(rs_ensemble_get_parameters(ensemble, static_cast<int32_t>(k), parameters.data(), static_cast<int64_t>(parameters.size())));
    const float* own_scale = scale ? scale + k * static_cast<size_t>(outputs) : nullptr;
    double expected = std::nan("");
    if (kRows[k] > 0) expected = loss_alone(setup, parameters, cut(setup, data.get(), first[k], kRows[k]).get(), own_scale);
    const auto name = [&] { return setup.name + ", " + std::to_string(threads) + " threads, " + std::to_string(kRows[k]) + " rows"; };
    CHECK(same(all[k], expected), "%s: evaluated %.17g, alone %.17g", name().c_str(), all[k], expected);
    CHECK(same(some[k], which[k] ? expected : -1), "%s: validated %.17g, alone %.17g", name().c_str(), some[k], expected);
    const double of_whole = loss_alone(setup, parameters, data.get(), own_scale);
    CHECK(same(whole[k], of_whole), "%s: over all rows %.17g, alone %.17g", name().c_str(), whole[k], of_whole);
  }
  rs_ensemble_destroy(ensemble);
}

}  // namespace

int main() {
  const std::vector<int32_t> small = {10, 20, 1}, wide = {7, 12, 3};
  const std::vector<Setup> setups = {
      {"small", small, RS_TANH},
      {"small, scaled", small, RS_RELU, {RS_MSE, 0}, false, true},
      {"small, weighted", small, RS_SIGMOID, {RS_MSE, 0}, true, true},
      {"deep", {3, 5, 9, 2}, RS_TANH, {RS_MSE, 0}, false, true},
      {"one layer", {4, 1}, RS_IDENTITY},
      {"mae", wide, RS_TANH, {RS_MAE, 0}, false, true},
      {"huber, weighted", wide, RS_TANH, {RS_HUBER, 0.3}, true, true},
      {"bce", wide, RS_RELU, {RS_BCE, 0}, true, true},
      {"cross-entropy", wide, RS_TANH, {RS_CROSS_ENTROPY, 0}, true, false},
      {"dropout", wide, RS_TANH, {RS_MSE, 0}, false, true, false, 0.4},
      {"collapsed", {6, 8, 2}, RS_IDENTITY, {RS_MSE, 0}, true, true, true},
  };
  for (const Setup& setup : setups) {
    for (int32_t threads : {1, 2, 5}) check(setup, threads);
  }
  std::printf("%zu setups on %s\n", setups.size(), rs_cpu_simd());
  return 0;
}
