// Every loss, with and without sample weights and dropout, of both paths and every instruction set, against float64.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bits.h"
#include "check.h"
#include "instruction_sets.h"
#include "network_case.h"
#include "philox.h"

using rs::cpu::Kernels;
using test::GuardedArray;
using test::NetworkCase;
using test::Random;

namespace {

constexpr double kGradientBound = 2e-6, kLossBound = 1e-6;

double worst_gradient = 0, worst_loss = 0;

struct NamedLoss {
  const char* name;
  rs::Loss loss;
};

const NamedLoss kLosses[] = {{"mse", {RS_MSE, 1}},  {"mae", {RS_MAE, 1}},
                             {"huber", {RS_HUBER, 3.4f}}, {"bce", {RS_BCE, 1}},
                             {"cross-entropy", {RS_CROSS_ENTROPY, 1}}};

// PyTorch's formulas, one row: the loss, and its derivatives in dz.
double row_loss(const rs::Loss& loss, const std::vector<double>& z, const float* y, const float* loss_weights,
                std::vector<double>& dz) {
  dz.assign(z.size(), 0);
  double sum = 0;
  if (loss.kind == RS_CROSS_ENTROPY) {
    const double most = *std::max_element(z.begin(), z.end());
    double all = 0;
    for (double value : z) all += std::exp(value - most);
    for (size_t c = 0; c < z.size(); ++c) dz[c] = std::exp(z[c] - most) / all;
    dz[static_cast<size_t>(y[0])] -= 1;
    return loss_weights[0] * (most + std::log(all) - z[static_cast<size_t>(y[0])]);
  }
  for (size_t o = 0; o < z.size(); ++o) {
    const double e = z[o] - y[o], d = loss.delta;
    double value = e * e;
    dz[o] = 2 * e;
    if (loss.kind == RS_MAE) {
      value = std::fabs(e);
      dz[o] = e > 0 ? 1 : (e < 0 ? -1 : 0);
    } else if (loss.kind == RS_HUBER) {
      value = std::fabs(e) <= d ? e * e / 2 : d * (std::fabs(e) - d / 2);
      dz[o] = std::clamp(e, -d, d);
    } else if (loss.kind == RS_BCE) {
      value = std::max(z[o], 0.0) - z[o] * y[o] + std::log1p(std::exp(-std::fabs(z[o])));
      dz[o] = 1 / (1 + std::exp(-z[o])) - y[o];
    }
    sum += loss_weights[o] * value;
  }
  return sum;
}

// The masks of one row, from the definition.
std::vector<std::vector<double>> kept(const rs::Network& network, const rs::cpu::Dropout& dropout, int64_t row) {
  std::vector<std::vector<double>> all;
  uint64_t group = 0;
  for (size_t l = 0; l + 1 < network.layers.size(); ++l) {
    all.emplace_back();
    for (int32_t j = 0; j < network.layers[l].out; ++j) {
      const auto words = rs::philox(dropout.key, group + static_cast<uint64_t>(j) / 4, static_cast<uint64_t>(row));
      all.back().push_back(words[static_cast<size_t>(j % 4)] < dropout.threshold ? 0.0 : double{dropout.scale});
    }
    group += (static_cast<uint64_t>(network.layers[l].out) + 3) / 4;
  }
  return all;
}

struct LossCase {
  const NetworkCase& network;
  const NamedLoss& loss;
  GuardedArray y;
  GuardedArray weights;
  bool weighted;
  const rs::cpu::Dropout* dropout;

  LossCase(const NetworkCase& c, const NamedLoss& loss, bool weighted, const rs::cpu::Dropout* dropout, uint64_t seed)
      : network(c),
        loss(loss),
        y(c.rows * rs::target_width(loss.loss.kind, c.network.outputs())),
        weights(c.rows),
        weighted(weighted),
        dropout(dropout) {
    Random random(seed);
    for (int64_t i = 0; i < y.size(); ++i) {
      if (loss.loss.kind == RS_BCE) y[i] = i % 3 == 2 ? 0.25f : static_cast<float>(i % 3);
      else if (loss.loss.kind == RS_CROSS_ENTROPY) y[i] = std::floor(random.uniform(0, 0.999f) * static_cast<float>(c.network.outputs()));
      else y[i] = c.y[i];
    }
    for (int64_t i = 0; i < c.rows; ++i) weights[i] = i % 5 == 4 ? 0.0f : random.uniform(0.25f, 4);
  }

  rs::cpu::NetworkView view() const {
    rs::cpu::NetworkView view = network.view();
    view.dropout = dropout != nullptr;
    return view;
  }

  rs::cpu::Pass pass() const {
    return {view(), network.parameters.get(), network.loss_weights.get(), loss.loss, weighted ? weights.get() : nullptr, dropout};
  }

  std::string name() const {
    return network.name() + ", " + loss.name + (weighted ? ", weighted" : "") + (dropout ? ", dropout" : "");
  }
};

struct Expected {
  std::vector<double> gradient;
  std::vector<double> size;  // the sum of the rows' absolute derivatives: what errors are measured by
  double loss = 0, weight = 0;
};

Expected reference(const LossCase& c, const rs::cpu::Rows& rows, int64_t count) {
  const rs::Network& network = c.network.network;
  Expected expected;
  const size_t parameters = static_cast<size_t>(network.parameter_count);
  expected.gradient.resize(parameters);
  expected.size.resize(parameters);
  test::ReferenceNetwork reference(network, c.network.parameters.get());
  std::vector<double> dz;
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = rows.first + i;
    if (rows.shuffle) rows.shuffle->map(&row, 1);
    if (c.dropout) reference.set_kept(kept(network, *c.dropout, rows.first + i - c.dropout->first));
    const std::vector<double>& z = reference.forward(&c.network.x[row * network.inputs()]);
    const float* y = &c.y[row * rs::target_width(c.loss.loss.kind, network.outputs())];
    const double weight = c.weighted ? c.weights[row] : 1;
    expected.loss += weight * row_loss(c.loss.loss, z, y, c.network.loss_weights.get(), dz);
    expected.weight += c.weighted ? weight : 0;
    for (double& d : dz) d *= weight;
    std::vector<double> own(parameters);
    reference.backward_from(dz, own);
    for (size_t k = 0; k < parameters; ++k) {
      expected.gradient[k] += own[k];
      expected.size[k] += std::fabs(own[k]);
    }
  }
  return expected;
}

double relative_error(const float* actual, const Expected& expected) {
  double difference = 0, size = 1e-30;
  for (size_t i = 0; i < expected.gradient.size(); ++i) {
    difference += (actual[i] - expected.gradient[i]) * (actual[i] - expected.gradient[i]);
    size += expected.size[i] * expected.size[i];
  }
  return std::sqrt(difference / size);
}

using Gradient = decltype(Kernels::block_gradient);

std::vector<float> gradient_of(const Kernels& kernels, Gradient Kernels::*kernel, const LossCase& c,
                               const rs::cpu::Rows& rows, int64_t count) {
  GuardedArray workspace(kernels.workspace_length(c.view()));
  GuardedArray gradient(rs::cpu::gradient_length(c.network.network.parameter_count));
  (kernels.*kernel)(c.pass(), rows, count, workspace.get(), gradient.get());
  return std::vector<float>(gradient.get(), gradient.get() + c.network.network.parameter_count + 2);
}

void check(const LossCase& c, const rs::cpu::Rows& rows, int64_t count) {
  const Expected expected = reference(c, rows, count);
  const size_t parameters = expected.gradient.size();
  for (const auto kernel : {&Kernels::block_gradient, &Kernels::row_gradient}) {
    if (kernel == &Kernels::row_gradient && count > test::kMostRowPathRows) continue;
    std::vector<float> avx2;
    for (const Kernels* kernels : test::instruction_sets()) {
      const std::string name = c.name() + ", " + kernels->name + ", " + std::to_string(count) + " rows";
      const std::vector<float> actual = gradient_of(*kernels, kernel, c, rows, count);
      const double off = relative_error(actual.data(), expected);
      CHECK(off <= kGradientBound, "%s: gradient off by %g", name.c_str(), off);
      const double loss_off = std::fabs(actual[parameters] - expected.loss) / std::max(expected.loss, 1e-30);
      CHECK(loss_off <= kLossBound || expected.weight == 0, "%s: loss off by %g", name.c_str(), loss_off);
      CHECK(std::fabs(actual[parameters + 1] - expected.weight) <= 1e-6 * expected.weight, "%s: weights sum to %g, not %g",
            name.c_str(), actual[parameters + 1], expected.weight);
      worst_gradient = std::max(worst_gradient, off);
      if (expected.loss > 0) worst_loss = std::max(worst_loss, loss_off);
      if (std::string(kernels->name) == "baseline") continue;
      if (avx2.empty()) avx2 = actual;
      CHECK(std::equal(avx2.begin(), avx2.end(), actual.begin(), test::same_bits), "%s: other bits", name.c_str());
    }
  }
}

void check_loss_alone(const LossCase& c, const rs::cpu::Rows& rows, int64_t count) {
  rs::cpu::Pass pass = c.pass();
  pass.dropout = nullptr;
  for (const Kernels* kernels : test::instruction_sets()) {
    GuardedArray workspace(kernels->workspace_length(c.view())), gradient(rs::cpu::gradient_length(pass.network.parameter_count));
    kernels->block_gradient(pass, rows, count, workspace.get(), gradient.get());
    const double with = gradient[pass.network.parameter_count];
    const double alone = kernels->block_loss(pass, rows, count, workspace.get());
    CHECK(with == alone, "%s, %s: loss %g with the gradient, %g alone", c.name().c_str(), kernels->name, with, alone);
  }
}

// ---- outputs of any size ----

// A network that hands its input on: what comes out is what goes in.
void check_stability(const NamedLoss& named, float z, float y, double loss, double derivative) {
  const int32_t outputs = named.loss.kind == RS_CROSS_ENTROPY ? 2 : 1;
  const int32_t sizes[] = {1, outputs};
  const rs::Network network(sizes, 2, RS_IDENTITY);
  const std::vector<float> parameters = outputs == 2 ? std::vector<float>{1, 0, 0, 0} : std::vector<float>{1, 0};
  const float loss_weights[] = {1, 1};
  const rs::cpu::NetworkView view = {network.layers.data(), 1, RS_IDENTITY, network.parameter_count, network.widest};
  for (const Kernels* kernels : test::instruction_sets()) {
    for (const auto kernel : {&Kernels::block_gradient, &Kernels::row_gradient}) {
      GuardedArray workspace(kernels->workspace_length(view)), gradient(rs::cpu::gradient_length(network.parameter_count));
      (kernels->*kernel)({view, parameters.data(), loss_weights, named.loss}, {&z, &y, 0, nullptr}, 1, workspace.get(), gradient.get());
      const float actual_loss = gradient[network.parameter_count], actual = gradient[network.layers[0].bias];
      const auto agrees = [](double a, double b) {
        return std::isnan(b) ? std::isnan(a) : std::isinf(b) ? a == b : std::fabs(a - b) <= 1e-6 * std::fabs(b) + 1e-37;
      };
      CHECK(agrees(actual_loss, loss), "%s, %s, z %g, y %g: loss %g, not %g", named.name, kernels->name, z, y, actual_loss, loss);
      CHECK(agrees(actual, derivative), "%s, %s, z %g, y %g: derivative %g, not %g", named.name, kernels->name, z, y, actual, derivative);
    }
  }
}

void stability() {
  const double nan = NAN;
  for (const NamedLoss& named : kLosses) {
    check_stability(named, NAN, 0, nan, nan);
  }
  const NamedLoss &mae = kLosses[1], &huber = kLosses[2], &bce = kLosses[3], &classes = kLosses[4];
  check_stability(mae, 1e30f, 0, 1e30f, 1);
  check_stability(mae, 2, 2, 0, 0);
  check_stability(huber, -1e30f, 0, 1e30f * double{3.4f}, -double{3.4f});
  for (float z : {-1e30f, -1e4f, -88.5f, -50.0f, -1e-3f, 0.0f, 1e-3f, 1.0f, 50.0f, 88.5f, 1e4f, 1e30f}) {
    const double p = 1 / (1 + std::exp(-double{z})), q = 1 / (1 + std::exp(double{z}));  // q = 1 - p, with its digits
    const double log_p = std::min(double{z}, 0.0) - std::log1p(std::exp(-std::fabs(double{z})));
    const double log_q = std::min(-double{z}, 0.0) - std::log1p(std::exp(-std::fabs(double{z})));
    check_stability(bce, z, 1, -log_p, -q);
    check_stability(bce, z, 0, -log_q, p);
    // Two classes, the second of which has 0: the same problem.
    check_stability(classes, z, 0, -log_p, -q);
    check_stability(classes, z, 1, -log_q, p);
  }
  // A target that is no class must not pass for one.
  check_stability(classes, 1, 2, nan, 1 / (1 + std::exp(-1.0)));
}

// ---- masks ----

void masks_have_their_share() {
  constexpr int64_t kRows = 4000;
  const NetworkCase c({2, 40, 1}, RS_IDENTITY, 8, 1);
  for (double p : {0.1, 0.5, 0.9}) {
    const rs::cpu::Dropout dropout = {12345, static_cast<uint32_t>(p * 0x1p32), static_cast<float>(1 / (1 - p)), 0};
    double dropped = 0, sum = 0;
    for (int64_t row = 0; row < kRows; ++row) {
      const std::vector<std::vector<double>> all = kept(c.network, dropout, row);
      for (double factor : all[0]) {
        dropped += factor == 0;
        sum += factor;
      }
    }
    const double count = 40 * kRows, deviation = std::sqrt(p * (1 - p) / count);
    CHECK(std::fabs(dropped / count - p) < 4 * deviation, "%g dropped where p is %g", dropped / count, p);
    CHECK(std::fabs(sum / count - 1) < 4 * deviation / (1 - p), "the mean factor is %g", sum / count);
  }
}

}  // namespace

int main() {
  int cases = 0;
  for (const std::vector<int32_t>& shape : test::kShapes) {
    for (rs_activation activation : test::kActivations) {
      const int64_t count = test::kRowCounts[static_cast<size_t>(cases) % (test::kRowCounts.size() - 4)];
      const int64_t first = cases % 3;
      const NetworkCase c(shape, activation, first + count, static_cast<uint64_t>(++cases));
      const rs::Shuffle shuffle(7, static_cast<uint64_t>(cases), c.rows);
      const rs::cpu::Rows rows = {c.x.get(), nullptr, first, cases % 2 ? &shuffle : nullptr};
      const rs::cpu::Dropout dropout = {static_cast<uint64_t>(cases), uint32_t{1} << 30, 4.0f / 3, first};
      for (const NamedLoss& loss : kLosses) {
        if (loss.loss.kind == RS_CROSS_ENTROPY && c.network.outputs() < 2) continue;
        for (bool weighted : {false, true}) {
          for (const rs::cpu::Dropout* drop : {static_cast<const rs::cpu::Dropout*>(nullptr), &dropout}) {
            const LossCase own(c, loss, weighted, drop, static_cast<uint64_t>(cases));
            rs::cpu::Rows with = rows;
            with.y = own.y.get();
            check(own, with, count);
            if (!drop) check_loss_alone(own, with, count);
          }
        }
      }
    }
  }
  stability();
  masks_have_their_share();
  std::printf("%d networks, gradients within %.2g, losses within %.2g\n", cases, worst_gradient, worst_loss);
  return 0;
}
