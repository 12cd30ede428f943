// The fused kernels for small networks: one hidden layer and one output, of the shapes that they are compiled
// for. All other networks take the layered path.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "blocks.h"
#include "optimizer_state.h"
#include "ringstep.h"
#include "rows.h"

namespace rs::gpu {

// ---- one batch's gradient, for large batches ----

// Writes the gradient vectors of the batch's blocks [begin, end). The bits of a block depend on its rows alone.
struct FusedGradient {
  Rows rows;
  Blocks blocks;
  int64_t begin, end;
  int32_t inputs, hidden;
  float loss_weight;        // what a squared error counts in the loss
  const float* parameters;  // [parameter count]
  float* block_gradients;   // [end - begin][gradient length], at a multiple of 16 bytes
};

// ---- many steps in one launch, for small batches ----

// What a step does with its gradient.
enum class LatencyRule {
  kPlain,  // SGD with neither momentum nor weight decay, at one learning rate and without an average: p = fma(-lr, g, p)
  kAny     // any optimizer, but not Adam with an eps of 0: unused weights would become 0 / 0
};

// Steps of one model on rows of its own. The host fills this in before the first launch and reads it after any; a
// launch goes on where the last one ended, so many launches give the bits of one.
struct LatencyModel {
  // Set by the host.
  float lr;           // all that the plain rule asks of the optimizer
  float loss_weight;  // what a squared error counts in the loss, above 0
  uint64_t seed;      // of the shuffles
  int64_t first;      // its rows are the dataset's [first, first + rows)
  int64_t rows;       // at least 1
  int64_t most_steps = INT64_MAX;  // that it takes in a launch; 0 leaves the model as it is
  // Advanced by the kernel; the host starts them at 0.
  int64_t epoch;
  int64_t row;             // of the epoch, where the next step starts
  int64_t steps;           // taken so far
  double epoch_loss_sum;   // of the epoch's steps so far
  float last_loss;         // loss sum of the latest step, or where failed of the step that was not taken
  int32_t failed;          // 1 once a loss was not finite: the parameters stay as they were before that step
  OptimizerState optimizer;  // settings and progress, for the other rules; the host starts it as it stands
  rs_average average;        // of the parameters, that is kept beside them; for the other rules
  int64_t averaged;          // parameters it is of so far; advanced by the kernel

  // What it takes of a launch's steps.
  RS_HOST_DEVICE int32_t share_of(int32_t steps) const {
    return failed ? 0 : most_steps < steps ? static_cast<int32_t>(most_steps) : steps;
  }
};

constexpr int64_t kMostLatencyBatch = 1024;
// Sums have one order for batches of 1, one for up to so many rows, and one for more.
constexpr int64_t kLatencySmallBatch = 128;

struct LatencySteps {
  const float* x;  // [*, inputs], both at multiples of 16 bytes
  const float* y;  // [*]
  bool shuffled;   // by Shuffle(seed, epoch, rows), else in the dataset's order
  int32_t inputs, hidden;
  int64_t batch;         // 1 ... kMostLatencyBatch; an epoch's last batch may be smaller
  int64_t models;
  LatencyModel* model;   // [models]
  float* parameters;     // [models][parameter_stride]
  int64_t parameter_stride;
  int32_t steps;         // that each model takes, unless it fails, may take no more, or is stopped
  // The losses of the epochs that end within this launch: losses[m * losses_capacity + i] for model m's i-th, the
  // sum over its rows. Null where nobody asks. The caller sees to it that no model ends more than the capacity.
  double* losses;
  int64_t losses_capacity;
  // Host memory that the device can read; may be null. Once it is not 0, each model stops where it is: at batch 1
  // within about a thousand steps, else within 256.
  const volatile int32_t* stop;
  LatencyRule rule = LatencyRule::kPlain;  // every model's
  // The optimizers' moments, [models][parameter_stride] as the parameters. Before a model's first step they may be
  // anything. Null where the rule has none, and `m` too where no model has momentum.
  float* m = nullptr;  // SGD's momentum buffer, Adam's mean
  float* v = nullptr;  // Adam's mean square
  // Likewise the averages of the parameters: anything before a model's first. Null where no model has one.
  float* average = nullptr;
};

// One batch's gradient, in the order of LatencySteps: a step of plain SGD with it gives the same bits.
struct LatencyGradient {
  Rows rows;
  int64_t batch;  // of the steps
  int64_t count;  // rows of this one, 1 ... batch
  int32_t inputs, hidden;
  float loss_weight;
  const float* parameters;
  float* gradient;  // [gradient length], at a multiple of 16 bytes
};

// ---- the shapes ----

struct FusedNetwork {
  int32_t inputs, hidden;  // that the kernels have room for; a smaller network's missing ones count as 0
  rs_activation activation;

  // `ctas` limits how many thread blocks share the work: as many as the device runs at once. No bit depends on it.
  void (*gradient)(const FusedGradient&, int ctas, cudaStream_t);
  // Products in TF32 on tensor cores, sums in float32; from compute capability 8.0 on.
  void (*gradient_tf32)(const FusedGradient&, int ctas, cudaStream_t);
  void (*latency_steps)(const LatencySteps&, cudaStream_t);
  void (*latency_gradient)(const LatencyGradient&, cudaStream_t);
};

// Thread blocks of `gradient` that one multiprocessor runs at once.
constexpr int kFusedCtasPerMultiprocessor = 3;

// Null where there is none for these sizes.
const FusedNetwork* fused_network(int32_t inputs, int32_t hidden, int32_t outputs, rs_activation activation);

}  // namespace rs::gpu
