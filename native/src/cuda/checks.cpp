// Checks of a device, for users: that it computes what the CPU computes, and how fast it moves data. Each kernel's
// thorough tests are elsewhere; these take a moment and say whether this machine, its driver and this build agree.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "activation.h"
#include "add_blocks.h"
#include "bias_gradient.h"
#include "cuda/device.h"
#include "cuda/gradient.h"
#include "cuda/memory.h"
#include "cuda/staging.h"
#include "cuda/stream.h"
#include "device_error.h"
#include "gather_rows.h"
#include "matmul_backward_inputs.h"
#include "matmul_backward_weights.h"
#include "matmul_forward.h"
#include "mse.h"
#include "optimizer.h"
#include "philox.h"
#include "ringstep_cuda.h"

namespace rs::cuda {
namespace {

constexpr int64_t kRows = 1000, kBlockRows = 256, kBlocks = 4;
constexpr int kIn = 37, kOut = 21;

struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<float> random(int64_t count, uint64_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(philox(1, stream, i / 4)[i % 4] >> 8) * 0x1p-23f - 1.0f;
  }
  return values;
}

// A device, with what a check needs of it.
struct Bench {
  Device& device;
  Stream stream;
  Staging staging;

  explicit Bench(Device& device) : device(device), stream(device.ordinal()), staging(device.ordinal()) {}

  DeviceArray<float> room(int64_t count) {
    DeviceArray<float> array(device, count, "a check", stream);
    array.clear();
    return array;
  }
  DeviceArray<float> put(const std::vector<float>& values) {
    DeviceArray<float> array = room(static_cast<int64_t>(values.size()));
    staging.copy(array.get(), values.data(), array.count(), stream);
    return array;
  }
  std::vector<float> get(const DeviceArray<float>& array) {
    stream.check_launches("a check");
    std::vector<float> values(static_cast<size_t>(array.count()));
    staging.copy_back(values.data(), array.get(), array.count(), stream);
    return values;
  }
};

// How far `actual` is from `expected`, relative to its size (L2); throws beyond the bound.
std::string compare(const std::vector<float>& actual, const std::vector<double>& expected, double bound) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  const double error = std::sqrt(difference / size);
  char text[96];
  std::snprintf(text, sizeof text, "within %.1e of float64 (bound %.0e)", error, bound);
  if (!(error <= bound)) throw std::runtime_error(std::string("not ") + text);
  return text;
}

size_t at(int64_t row, int64_t column, int64_t width) { return static_cast<size_t>(row * width + column); }

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

// ---- each kernel ----

std::string check_matmul_forward(Bench& b) {
  const auto x = random(kRows * kIn, 1), weight = random(kOut * kIn, 2), bias = random(kOut, 3);
  const auto dx = b.put(x), dw = b.put(weight), db = b.put(bias), dz = b.room(kRows * kOut);
  gpu::matmul_forward(dx.get(), dw.get(), db.get(), kRows, kIn, kOut, dz.get(), b.stream);
  std::vector<double> z(static_cast<size_t>(kRows * kOut));
  for (int64_t r = 0; r < kRows; ++r) {
    for (int j = 0; j < kOut; ++j) {
      double sum = bias[static_cast<size_t>(j)];
      for (int i = 0; i < kIn; ++i) sum += static_cast<double>(x[at(r, i, kIn)]) * weight[at(j, i, kIn)];
      z[at(r, j, kOut)] = sum;
    }
  }
  return compare(b.get(dz), z, 1e-6);
}

std::string check_activation(Bench& b) {
  const auto z = random(kRows, 1), dh = random(kRows, 2);
  const auto dz = b.put(z), ddh = b.put(dh);
  gpu::activation_forward(RS_SIGMOID, kRows, dz.get(), b.stream);
  gpu::activation_backward(RS_SIGMOID, ddh.get(), kRows, dz.get(), b.stream);
  std::vector<double> expected(z.size());
  for (size_t i = 0; i < z.size(); ++i) expected[i] = dh[i] * sigmoid(z[i]) * (1 - sigmoid(z[i]));
  return compare(b.get(dz), expected, 1e-6);
}

std::string check_mse(Bench& b) {
  const auto h = random(kRows, 1), y = random(kRows, 2), weight = random(1, 3);
  const auto dh = b.put(h), dy = b.put(y), dw = b.put(weight), losses = b.room(kBlocks);
  gpu::mse_loss(dh.get(), dy.get(), dw.get(), kRows, kBlockRows, 1, losses.get(), 1, b.stream);
  std::vector<double> expected(kBlocks);
  for (size_t r = 0; r < h.size(); ++r) {
    const double e = static_cast<double>(h[r]) - y[r];
    expected[r / kBlockRows] += weight[0] * e * e;
  }
  return compare(b.get(losses), expected, 1e-6);
}

std::string check_matmul_backward_weights(Bench& b) {
  const auto dz = random(kRows * kOut, 1), a = random(kRows * kIn, 2);
  const auto ddz = b.put(dz), da = b.put(a), gradients = b.room(kBlocks * kOut * kIn);
  gpu::matmul_backward_weights(ddz.get(), da.get(), kRows, kBlockRows, kIn, kOut, gradients.get(), kOut * kIn, b.stream);
  std::vector<double> expected(static_cast<size_t>(kBlocks * kOut * kIn));
  for (int64_t r = 0; r < kRows; ++r) {
    for (int j = 0; j < kOut; ++j) {
      for (int i = 0; i < kIn; ++i) {
        expected[static_cast<size_t>(r / kBlockRows * kOut * kIn) + at(j, i, kIn)] +=
            static_cast<double>(dz[at(r, j, kOut)]) * a[at(r, i, kIn)];
      }
    }
  }
  return compare(b.get(gradients), expected, 2e-6);
}

std::string check_matmul_backward_inputs(Bench& b) {
  const auto dz = random(kRows * kOut, 1), weight = random(kOut * kIn, 2);
  const auto ddz = b.put(dz), dw = b.put(weight), da = b.room(kRows * kIn);
  gpu::matmul_backward_inputs(ddz.get(), dw.get(), kRows, kIn, kOut, da.get(), b.stream);
  std::vector<double> expected(static_cast<size_t>(kRows * kIn));
  for (int64_t r = 0; r < kRows; ++r) {
    for (int j = 0; j < kOut; ++j) {
      for (int i = 0; i < kIn; ++i) {
        expected[at(r, i, kIn)] += static_cast<double>(dz[at(r, j, kOut)]) * weight[at(j, i, kIn)];
      }
    }
  }
  return compare(b.get(da), expected, 1e-6);
}

std::string check_bias_gradient(Bench& b) {
  const auto dz = random(kRows * kOut, 1);
  const auto ddz = b.put(dz), gradients = b.room(kBlocks * kOut);
  gpu::bias_gradient(ddz.get(), kRows, kBlockRows, kOut, gradients.get(), kOut, b.stream);
  std::vector<double> expected(static_cast<size_t>(kBlocks * kOut));
  for (int64_t r = 0; r < kRows; ++r) {
    for (int j = 0; j < kOut; ++j) expected[at(r / kBlockRows, j, kOut)] += dz[at(r, j, kOut)];
  }
  return compare(b.get(gradients), expected, 2e-6);
}

// Sums are exact: the great ones cancel, and the small ones are left.
std::string check_add_blocks(Bench& b) {
  constexpr int64_t kLength = 16;
  std::vector<float> blocks(static_cast<size_t>(3 * kLength));
  for (int64_t i = 0; i < kLength; ++i) {
    blocks[at(0, i, kLength)] = 1e30f;
    blocks[at(1, i, kLength)] = static_cast<float>(i + 1);
    blocks[at(2, i, kLength)] = -1e30f;
  }
  const auto d = b.put(blocks), sum = b.room(kLength);
  gpu::add_blocks(d.get(), 3, kLength, sum.get(), b.stream);
  const auto result = b.get(sum);
  for (int64_t i = 0; i < kLength; ++i) {
    if (result[static_cast<size_t>(i)] != static_cast<float>(i + 1)) throw std::runtime_error("a sum is not exact");
  }
  return "exact";
}

std::string check_gather_rows(Bench& b) {
  const auto x = random(kRows * kIn, 1), y = random(kRows, 2);
  const auto dx = b.put(x), dy = b.put(y), gx = b.room(kRows * kIn), gy = b.room(kRows);
  const Shuffle shuffle(3, 4, kRows);
  gpu::gather_rows({dx.get(), dy.get(), 0, shuffle, true}, kRows, kIn, 1, gx.get(), gy.get(), b.stream);
  const auto rx = b.get(gx), ry = b.get(gy);
  for (int64_t r = 0; r < kRows; ++r) {
    const int64_t row = shuffle.at(r);
    if (ry[static_cast<size_t>(r)] != y[static_cast<size_t>(row)] || rx[at(r, kIn - 1, kIn)] != x[at(row, kIn - 1, kIn)]) {
      throw std::runtime_error("the order of shuffled rows is not the CPU's");
    }
  }
  return "the CPU's order";
}

std::string check_optimizer(Bench& b) {
  const auto p = random(kRows, 1), g = random(kRows + 1, 2);
  const auto dp = b.put(p), dg = b.put(g), m = b.room(kRows);
  gpu::StepState fresh;
  fresh.settings.kind = RS_SGD;
  fresh.settings.lr = 0.5;
  fresh.settings.momentum = 0.9;
  DeviceArray<gpu::StepState> state(b.device, 1, "a check", b.stream);
  state.copy_from(&fresh, 1);
  for (int step = 0; step < 2; ++step) {
    gpu::optimizer_step(RS_SGD, 0.25f, dg.get(), kRows, dp.get(), m.get(), nullptr, state.get(), b.stream);
  }
  std::vector<double> expected(p.size());
  for (size_t i = 0; i < p.size(); ++i) expected[i] = p[i] - 0.5 * 0.25 * g[i] * (1 + 1.9);
  return compare(b.get(dp), expected, 1e-6);
}

// ---- the paths, each against the layered one ----

std::vector<double> widened(const std::vector<float>& values) { return std::vector<double>(values.begin(), values.end()); }

std::string check_path(Bench& b, rs_precision precision, int64_t rows, Path path, double bound) {
  const int32_t sizes[] = {10, 20, 1};
  const Network network(sizes, 3, RS_TANH);
  Gradient gradient(b.device, network, true, precision, b.stream);
  if (gradient.path(rows) != path) throw Skipped("this build has no such kernel");
  const auto x = b.put(random(rows * 10, 1)), y = b.put(random(rows, 2));
  const auto parameters = b.put(random(gradient.length(), 3)), weights = b.put({1.0f});
  const auto actual = b.room(gradient.length()), expected = b.room(gradient.length());
  const gpu::Rows batch = {x.get(), y.get(), 0, Shuffle(), false};
  const LossWeights loss_weights = {weights.get(), 1.0f};
  gradient.reserve(rows);
  gradient.enqueue_sum(gradient.enqueue(batch, rows, parameters.get(), loss_weights), actual.get());
  gradient.reserve(rows, Path::kLayered);
  gradient.enqueue_sum(gradient.enqueue(batch, rows, parameters.get(), loss_weights, Path::kLayered), expected.get());
  return compare(b.get(actual), widened(b.get(expected)), bound);
}

std::string check_fused(Bench& b) { return check_path(b, RS_FLOAT32, 5000, Path::kFused, 2e-6); }
std::string check_persistent(Bench& b) { return check_path(b, RS_FLOAT32, 37, Path::kPersistent, 2e-6); }

std::string check_tf32(Bench& b) {
  if (!b.device.has_tf32()) throw Skipped("TF32 needs compute capability 8.0");
  return check_path(b, RS_TF32, 5000, Path::kFusedTf32, 5e-3);
}

// ---- memory ----

std::string check_out_of_memory(Bench& b) {
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "asking for its memory", b.device.ordinal());
  try {
    DeviceArray<float> absurd(b.device, static_cast<int64_t>(total), "a check that asks for four times what there is", b.stream);
  } catch (const DeviceError& e) {
    if (e.status != RS_CUDA_OUT_OF_MEMORY) throw;
    b.get(b.put(random(kRows, 1)));  // goes on
    return "told, and gone on from";
  }
  throw std::runtime_error("more memory was given than there is");
}

double gigabytes_a_second(Bench& b, int64_t bytes, int repeats, const std::function<void()>& copy) {
  cudaEvent_t start, end;
  check(cudaEventCreateWithFlags(&start, cudaEventDefault), "creating an event", b.device.ordinal());
  check(cudaEventCreateWithFlags(&end, cudaEventDefault), "creating an event", b.device.ordinal());
  copy();
  check(cudaEventRecord(start, b.stream), "measuring", b.device.ordinal());
  for (int i = 0; i < repeats; ++i) copy();
  check(cudaEventRecord(end, b.stream), "measuring", b.device.ordinal());
  b.stream.wait("measuring");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, start, end), "measuring", b.device.ordinal());
  cudaEventDestroy(start);
  cudaEventDestroy(end);
  return static_cast<double>(bytes) * repeats / milliseconds / 1e6;
}

std::string check_bandwidth(Bench& b) {
  constexpr int64_t kFloats = 1 << 24, kBytes = kFloats * 4;
  constexpr int kRepeats = 8;
  const auto from = b.room(kFloats), to = b.room(kFloats);
  const PinnedArray<float> host(b.device.ordinal(), kFloats, "pinned memory for a check");
  const auto copy = [&](void* destination, const void* source, cudaMemcpyKind kind) {
    check(cudaMemcpyAsync(destination, source, kBytes, kind, b.stream), "copying", b.device.ordinal());
  };
  const double up = gigabytes_a_second(b, kBytes, kRepeats, [&] { copy(from.get(), host.get(), cudaMemcpyHostToDevice); });
  const double down = gigabytes_a_second(b, kBytes, kRepeats, [&] { copy(host.get(), from.get(), cudaMemcpyDeviceToHost); });
  const double within =
      gigabytes_a_second(b, 2 * kBytes, kRepeats, [&] { copy(to.get(), from.get(), cudaMemcpyDeviceToDevice); });
  char text[128];
  std::snprintf(text, sizeof text, "to the device %.1f GB/s, from it %.1f GB/s, within it %.0f GB/s read and written", up, down,
                within);
  return text;
}

// ---- all devices together ----

// [1, 2, 3, 4] + [5, 6, 7, 8], an equal share on each device as far as they go, gathered in order.
std::string check_scatter_add_gather(Bench&) {
  const int devices = std::min(device_count(), 4);
  std::vector<float> sums;
  for (int i = 0; i < devices; ++i) {
    const int first = 4 * i / devices, end = 4 * (i + 1) / devices;
    const DeviceScope scope(i);
    Bench b(Device::get(i));
    constexpr int64_t kLength = 16;
    std::vector<float> share(2 * kLength);
    for (int k = first; k < end; ++k) {
      share[static_cast<size_t>(k - first)] = static_cast<float>(1 + k);
      share[static_cast<size_t>(kLength + k - first)] = static_cast<float>(5 + k);
    }
    const auto terms = b.put(share), sum = b.room(kLength);
    gpu::add_blocks(terms.get(), 2, kLength, sum.get(), b.stream);
    const auto own = b.get(sum);
    sums.insert(sums.end(), own.begin(), own.begin() + (end - first));
  }
  char text[128];
  std::snprintf(text, sizeof text, "[1,2,3,4] + [5,6,7,8] = [%g,%g,%g,%g] over %d device%s", static_cast<double>(sums[0]),
                static_cast<double>(sums[1]), static_cast<double>(sums[2]), static_cast<double>(sums[3]), devices,
                devices == 1 ? "" : "s");
  if (sums != std::vector<float>{6, 8, 10, 12}) throw std::runtime_error(text);
  return text;
}

struct Check {
  const char* name;
  std::string (*run)(Bench&);
};

constexpr Check kChecks[] = {
    {"scatter, add, gather", check_scatter_add_gather},
    {"matmul_forward", check_matmul_forward},
    {"activation", check_activation},
    {"mse", check_mse},
    {"matmul_backward_weights", check_matmul_backward_weights},
    {"matmul_backward_inputs", check_matmul_backward_inputs},
    {"bias_gradient", check_bias_gradient},
    {"add_blocks", check_add_blocks},
    {"gather_rows", check_gather_rows},
    {"optimizer", check_optimizer},
    {"fused_gradient", check_fused},
    {"latency_gradient", check_persistent},
    {"fused_gradient_tf32", check_tf32},
    {"out of memory", check_out_of_memory},
    {"copy bandwidth", check_bandwidth},
};

}  // namespace
}  // namespace rs::cuda

int32_t rs_cuda_check_count(void) { return static_cast<int32_t>(std::size(rs::cuda::kChecks)); }

const char* rs_cuda_check_name(int32_t check) { return rs::cuda::kChecks[check].name; }

int32_t rs_cuda_check(int32_t check, int32_t device, char* detail, int32_t capacity) {
  const auto say = [&](int32_t result, const std::string& text) {
    std::snprintf(detail, static_cast<size_t>(capacity), "%s", text.c_str());
    return result;
  };
  try {
    rs::cuda::Device& one = rs::cuda::Device::get(device);
    const rs::cuda::DeviceScope scope(device);
    rs::cuda::Bench bench(one);
    return say(0, rs::cuda::kChecks[check].run(bench));
  } catch (const rs::cuda::Skipped& e) {
    return say(2, e.what());
  } catch (const std::exception& e) {
    return say(1, e.what());
  }
}

int32_t rs_cuda_lose_device(int32_t device) {
  try {
    const rs::cuda::DeviceScope scope(device);
    rs::cuda::Stream stream(device);
    rs::gpu::activation_forward(RS_RELU, 1 << 20, reinterpret_cast<float*>(uintptr_t{64}), stream);
    stream.check_launches("losing the device");
    stream.wait("losing the device");
    return RS_OK;
  } catch (const rs::DeviceError& e) {
    return e.status;
  }
}
