// What each instruction set implements; see isa/ for the code and dispatch.cpp for the choice.
#pragma once

#include <cstdint>

#include "network.h"
#include "settings.h"
#include "shuffle.h"

namespace rs::cpu {

// A network as plain data: code compiled per instruction set calls no inline function from outside.
struct NetworkView {
  const Layer* layers;
  int32_t count;
  rs_activation activation;
  int64_t parameter_count;
  int32_t widest;
  bool dropout = false;  // training drops hidden units: the workspace has room for their masks
};

// Rows of a dataset in the order they are visited: row i is the dataset's row `first + i`, or where
// there is a shuffle the one that it has at `first + i`.
struct Rows {
  const float* x;  // [*, inputs]
  const float* y;  // [*, outputs]; null where only predictions are wanted
  int64_t first;
  const Shuffle* shuffle;
};

// The hidden units that one step drops (isa/dropout.h).
struct Dropout {
  uint64_t key;        // of this step
  uint32_t threshold;  // a unit whose 32 random bits are below it becomes 0
  float scale;         // what the others are multiplied by
  int64_t first;       // where Rows::first stands for the first row of the batch
};

// Where a forward and backward pass starts from: the parameters, and for each output what its error counts
// in the loss that is reported (the gradient does not depend on it).
struct Pass {
  NetworkView network;
  const float* parameters;
  const float* loss_weights;  // [outputs]
  Loss loss = {};
  const float* sample_weights = nullptr;  // of the dataset's rows; null where all count alike
  const Dropout* dropout = nullptr;       // null where nothing is dropped
};

// A gradient vector: for every parameter the sum over rows of the derivative of the row's loss, then the loss sum,
// then the sum of the samples' weights where they have any; padded to whole vectors.
__attribute__((always_inline)) inline int64_t gradient_length(int64_t parameter_count) { return (parameter_count + 2 + 15) / 16 * 16; }

// From the gradient's sum to the gradient that the optimizer sees.
struct GradientShape {
  float scale;       // turns the sum into a mean
  float l1;          // times the sign of the parameter is added
  float clip_value;  // bounds each derivative; infinite where none does
};

// One optimizer step in numbers; m and v are the optimizer's state, where it has any.
struct Update {
  rs_optimizer_kind kind;
  float gradient_scale;  // turns the gradient's sum into a mean
  float lr;
  float weight_decay;
  bool first_step;
  // SGD
  float momentum;
  bool nesterov;
  // Adam, AdamW
  float beta1_complement, beta2, beta2_complement, epsilon;
  float step_size;         // lr / (1 - beta1^t)
  float root_correction;   // 1 / sqrt(1 - beta2^t)
  float decay;             // 1 - lr * weight_decay
};

// Small networks of one shape, their parameters packed so that they fill registers (small_network.h).
// Results are those of the row path and of `update`, bit for bit.
struct SmallNetwork {
  int64_t packed_length;  // floats, at a multiple of 64 bytes
  void (*pack)(const NetworkView&, const float* parameters, float* packed);
  void (*unpack)(const NetworkView&, const float* packed, float* parameters);
  void (*predict)(const NetworkView&, const float* packed, const float* x, int64_t count, float* y);
  // One step of plain SGD for each of `count` rows. Returns the number of steps taken: fewer where a loss is not
  // finite. Adds each step's loss sum to loss_sum and leaves the last in last_loss.
  int64_t (*train)(const NetworkView&, float* packed, const Rows& rows, int64_t count, float lr,
                   float loss_weight, double* loss_sum, float* last_loss);
  // One step of plain SGD on `count` rows together, at most 256. Returns the loss sum; where it is not finite, nothing has changed.
  float (*train_batch)(const NetworkView&, float* packed, const Rows& rows, int64_t count, float lr, float loss_weight);
  // The gradient vector of `count` rows, at most 256, without dropout: what Kernels::row_gradient computes.
  void (*gradient)(const Pass&, const float* packed, const Rows& rows, int64_t count, float* gradient);
};

// Models of an ensemble that one call of the ensemble path trains side by side, and the most rows a step it takes.
constexpr int kModelLanes = 16;
constexpr int kRowPathRows = 7;

// Models of one shape and one kind of optimizer, one a lane.
struct ModelLanes {
  NetworkView network;
  float* parameters;    // [parameters][16], as m, v and gradient
  float* m;             // the optimizer's state; never null
  float* v;
  float* gradient;      // scratch for steps of several rows
  float* average;       // exponential moving averages of the parameters; null where no lane keeps one
  float* loss_weights;  // [outputs][16]

  // Settings. What has no array is the same in all lanes.
  rs_optimizer_kind kind;
  bool plain;  // SGD without momentum or weight decay in any lane
  bool any_momentum, nesterov;
  double beta1, beta2, eps;
  alignas(64) float lr[kModelLanes];
  float momentum[kModelLanes];
  float weight_decay[kModelLanes];
  double exact_lr[kModelLanes];
  double exact_weight_decay[kModelLanes];
  float average_share[kModelLanes];  // of the way that an average moves towards the parameters in a step
  int32_t averages[kModelLanes];     // lanes that keep an average; a mask, as those below

  // State. Masks have all bits set for yes, and none for no.
  int32_t alive[kModelLanes];  // lanes that train; a loss that is not finite ends that
  int32_t first[kModelLanes];  // lanes whose optimizer has not taken a step
  int32_t averaged[kModelLanes];  // lanes whose average has begun
  double beta1_power[kModelLanes];
  double beta2_power[kModelLanes];
  double loss_sum[kModelLanes];  // each step's is added
  float loss[kModelLanes];       // the loss sum of the last step
  int64_t steps[kModelLanes];    // counts the steps applied

  // Numbers of Adam's current step.
  float step_size[kModelLanes];
  float root_correction[kModelLanes];
  float decay[kModelLanes];
};

// Memory that is needed later, to be brought into the cache some lines a step.
struct Coming {
  struct Range {
    const char *next, *end;
  };
  static constexpr int kMostRanges = 6 * kModelLanes;
  Range ranges[kMostRanges];
  int count, current;
  int64_t lines;  // a step
};

// Rows for some steps of all lanes. A slot holds one row of each lane; a step takes `rows` slots.
struct LaneTile {
  const float* x;        // [*, inputs]
  const float* y;        // [*, outputs]
  const int64_t* index;  // rows of x and y: [slots] where shared, else [slots][16]
  bool shared;           // all lanes have the same rows
  int64_t steps;
  int rows;                        // at most kRowPathRows
  int32_t counts[kModelLanes];     // rows of each lane's step
  const double* rates;             // [steps][16], the learning rates; null where each lane keeps its own
  Coming* coming;                  // or null
  bool ragged;                     // the counts of lanes that train differ; slots past a lane's count hold any row

  __attribute__((always_inline)) int64_t slots() const { return steps * rows; }
};

struct Kernels {
  const char* name;

  // Floats of scratch memory, at a multiple of 64 bytes, that the functions below need.
  int64_t (*workspace_length)(const NetworkView&);

  // The batch path: vectors across rows. `gradient` has gradient_length values.
  void (*block_gradient)(const Pass&, const Rows&, int64_t count, float* workspace, float* gradient);
  double (*block_loss)(const Pass&, const Rows&, int64_t count, float* workspace);
  void (*block_predict)(const Pass&, const Rows&, int64_t count, float* workspace, float* y);

  // The row path: one row after the other, vectors across units.
  void (*row_gradient)(const Pass&, const Rows&, int64_t count, float* workspace, float* gradient);
  double (*row_loss)(const Pass&, const Rows&, int64_t count, float* workspace);
  void (*row_predict)(const Pass&, const Rows&, int64_t count, float* workspace, float* y);

  // Where rows [first, first + count) of `rows` lie in the dataset.
  void (*find_rows)(const Rows&, int64_t first, int count, int64_t* index);

  // The ensemble path: 16 models side by side. Its scratch memory, at a multiple of 64 bytes.
  int64_t (*lane_workspace_length)(const NetworkView&);
  void (*lane_steps)(ModelLanes&, const LaneTile&, float* workspace);

  // Null where there is none for this shape.
  const SmallNetwork* (*small_network)(const NetworkView&);

  // sum[i] = the exact sum over blocks of gradients[block * stride + i], for i in [begin, end), which
  // are multiples of 16.
  void (*add_blocks)(const float* gradients, int64_t stride, int64_t blocks, int64_t begin, int64_t end, float* sum);

  // Shapes the gradient in place, for parameters [begin, end), which are multiples of 16; returns the sum of its squares.
  double (*shape_gradient)(const GradientShape&, int64_t begin, int64_t end, const float* parameters, float* gradient);

  // For parameters [begin, end).
  void (*update)(const Update&, int64_t begin, int64_t end, const float* gradient, float* parameters, float* m, float* v);
};

// The best that this processor can run, unless RINGSTEP_SIMD asks for less.
const Kernels& kernels();

// Called where the quick way of add_blocks finds that it was not exact.
float exact_sum_of(const float* values, int64_t stride, int64_t count);

}  // namespace rs::cpu
