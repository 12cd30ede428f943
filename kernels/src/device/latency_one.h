// Steps of batch 1, many in one launch, for one model or a hundred thousand.
//
//   task.x, task.y   [*, inputs], [*]   the dataset; each model reads the rows that are its own
//   task.model       [models]           settings, and how far each model has come: read at the start, written at the
//                                       end
//   task.parameters  [models][stride]   likewise; in between they are in registers
//   task.m, task.v   [models][stride]   likewise, the optimizer's moments; in between they are in shared memory
//   task.average     [models][stride]   likewise, the averages of models that keep one; may be null
//   task.losses      [models][capacity] a sum for each epoch that ends; may be null
//   task.stop        one word of the host's; may be null
//
// Steps of one model depend on each other: what counts is the chain of dependent instructions from one update to the
// next. 8 lanes take a model, each with up to 4 hidden units: with fewer lanes the warp is busy longer than the chain,
// with more the chain has more shuffles. So a warp carries 4 models, in the time of one. There is nothing to wait
// for between warps, so each is a thread block of its own, which spreads few models over the whole GPU. The bound of 8
// of them a multiprocessor only says that registers are not to be saved by spilling; 140 of them for 10 inputs and 20
// hidden units leave room for 12, 3 for each scheduler, which cover each other's latency.
//
// The chain is shortened where it does not change a bit: the dot products have two chains each; bias2 - y is ready
// before the sum over units; the loss need not be known before the update, as |e| at most a limit, found once by
// bisection, says whether it is finite; and the update is predicated, not branched around.
//
// Rows come in chunks of 16, each group's own, double-buffered; lanes look up two rows each, shuffled or not, while
// the chunk before is worked on. A chunk ends with the epoch. The next row is in registers before its step begins.
#pragma once

#include "device/async_copy.h"
#include "device/average_step.h"
#include "device/fused_shape.h"
#include "device/latency_rule.h"
#include "device/small_network.h"
#include "device/stored_shuffle.h"
#include "device/tiles.h"
#include "fused_network.h"

namespace rs::gpu {

constexpr int kModelLanes = 8;

// One sample's forward and backward, by the lanes of a group.
template <int kInputs, int kUnits, rs_activation A>
struct OneSample {
  float h[kUnits];
  float e;

  // Units of lane q from `units` on are not the network's own.
  __device__ __forceinline__ void forward(const LaneWeights<kInputs, kUnits>& w, const float (&x)[kInputs], float y,
                                          int units) {
    const float rest = w.bias2 - y;
    float products = 0;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      float even = w.bias1[u], odd = w.weight1[u][1] * x[1];
#pragma unroll
      for (int i = 0; i < kInputs; i += 2) even = fmaf(w.weight1[u][i], x[i], even);
#pragma unroll
      for (int i = 3; i < kInputs; i += 2) odd = fmaf(w.weight1[u][i], x[i], odd);
      h[u] = activate<A>(even + odd);
      if (A == RS_SIGMOID && u >= units) h[u] = 0;  // only the sigmoid makes something of nothing
      products = u == 0 ? w.weight2[u] * h[u] : fmaf(w.weight2[u], h[u], products);
    }
    e = sum_over_group<kModelLanes>(products) + rest;
  }

  // f(parameter, its gradient, its place in ListOf) for all that the lane has; a parameter is used before f may change it.
  template <typename Weights, typename F>
  __device__ __forceinline__ void backward(Weights& w, const float (&x)[kInputs], F f) const {
    using At = ListOf<kInputs, kUnits>;
    const float d = e + e;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const float dz = activation_gradient<A>(d * w.weight2[u], h[u]);
      f(w.weight2[u], d * h[u], u * At::kUnit + kInputs + 1);
      f(w.bias1[u], dz, u * At::kUnit + kInputs);
#pragma unroll
      for (int i = 0; i < kInputs; ++i) f(w.weight1[u][i], dz * x[i], u * At::kUnit + i);
    }
    f(w.bias2, d, At::kBias2);
  }
};

// What a lane's parameters have besides, such as the optimizer's moments, in the order of ListOf. In shared memory, a word
// of each lane side by side: beside the weights registers have no room for them.
template <int kMoments, int kCount>
class LaneMoments {
 public:
  static constexpr int kShared = kMoments * kCount * 32;  // floats

  __device__ __forceinline__ explicit LaneMoments(float* shared) : own_(shared + threadIdx.x) {}

  __device__ __forceinline__ float& at(int moment, int k) { return own_[(moment * kCount + k) * 32]; }

  // From a moment of all the network's parameters, or all of one value where it is null.
  template <typename At>
  __device__ __forceinline__ void load(int moment, const float* from, float fresh, SmallLayout layout, int lane) {
#pragma unroll 1
    for (int k = 0; k < kCount; ++k) {
      const int p = At::parameter_at(layout, lane, k);
      at(moment, k) = from && p >= 0 ? from[p] : fresh;
    }
  }

  template <typename At>
  __device__ __forceinline__ void store(int moment, float* to, SmallLayout layout, int lane) {
#pragma unroll 1
    for (int k = 0; k < kCount; ++k) {
      const int p = At::parameter_at(layout, lane, k);
      if (p >= 0 && (k < At::kBias2 || lane == 0)) to[p] = at(moment, k);
    }
  }

 private:
  float* const own_;
};

// Floats that the averages of a warp's models take.
template <typename Shape>
constexpr int kAverageOfOne =
    LaneMoments<1, ListOf<Shape::kInputs, (Shape::kHidden + kModelLanes - 1) / kModelLanes>::kBias2 + 1>::kShared;

// The largest |e| whose loss is finite. Rounding keeps order, so that all below it are finite too.
__device__ __forceinline__ float largest_error(float loss_weight) {
  unsigned low = 0, above = 0x7F800000;  // the bits of floats are in the order of the floats
  while (above - low > 1) {
    const unsigned middle = (low + above) / 2;
    const float e = __uint_as_float(middle);
    if (loss_weight * (e * e) < __uint_as_float(0x7F800000)) {
      low = middle;
    } else {
      above = middle;
    }
  }
  return __uint_as_float(low);
}

// The numbers of the optimizer's next steps, by the lanes of a group: each has every kModelLanes-th.
template <typename Rule, int kSteps>
__device__ __forceinline__ void number_steps(const OptimizerState& optimizer, int lane, StepNumbers (&numbers)[kSteps]) {
  Progress progress = optimizer;
#pragma unroll 1
  for (int first = 0; first < kSteps; first += kModelLanes) {
    Progress own = progress;
#pragma unroll 1
    for (int s = 0; s < kModelLanes; ++s) {
      if (s == lane) own = progress;
      advance(optimizer.settings, progress);
    }
    numbers[first + lane] = Rule::numbers_of(optimizer, own);
  }
}

template <typename Shape, rs_activation A, LatencyRule kRule>
__global__ __launch_bounds__(32, 8) void latency_one_kernel(const LatencySteps task) {
  constexpr int kInputs = Shape::kInputs, kUnits = (Shape::kHidden + kModelLanes - 1) / kModelLanes;
  using At = ListOf<kInputs, kUnits>;
  using Rule = typename RuleOf<kRule>::type;
  constexpr int kMoments = Rule::kMoments, kCount = At::kBias2 + 1;
  using Moments = LaneMoments<kMoments, kCount>;
  constexpr int kModels = 32 / kModelLanes, kChunk = 16, kRow = (kInputs + 4) / 4 * 4, kLooks = 32;
  // Padded so that the four models' rows lie in different banks; one row more, as the next is read ahead.
  __shared__ __align__(16) float chunks[2][kModels][(kChunk + 1) * kRow + 4 - kRow % 8];
  __shared__ StoredShuffle shuffles[kModels];
  __shared__ float shared_moments[kMoments > 0 ? Moments::kShared : 1];
  __shared__ OptimizerState optimizers[kModels];
  __shared__ StepNumbers numbers[kModels][kChunk];
  __shared__ int64_t averaged[kModels];
  RS_DYNAMIC_SHARED(float, shared_average);

  const int lane = static_cast<int>(threadIdx.x) % kModelLanes, slot = static_cast<int>(threadIdx.x) / kModelLanes;
  const int own = static_cast<int>(blockIdx.x) * kModels + slot;
  const bool live = own < task.models;
  const int64_t which = live ? own : task.models - 1;  // idle lanes go along with the last model
  const auto model = [&] { return &task.model[which]; };
  const auto parameters = [&] { return task.parameters + which * task.parameter_stride; };
  const SmallLayout layout = {task.inputs, task.hidden};
  const int units = layout.hidden - lane * kUnits;

  LaneWeights<kInputs, kUnits> weights;
  weights.load(parameters(), layout, lane);
  Rule rule(*model());
  Moments moments(shared_moments);
  if constexpr (kMoments > 0) {
    if (lane == 0) optimizers[slot] = model()->optimizer;
    for (int k = 0; k < kMoments; ++k) {
      const float* from = Rule::memory(task, model()->optimizer, k);
      if (from) from += which * task.parameter_stride;
      moments.template load<At>(k, from, Rule::fresh(model()->optimizer), layout, lane);
    }
  }
  LaneMoments<1, kCount> average(shared_average);
  bool ema = false, swa = false;  // whether the model keeps such an average
  if constexpr (kMoments > 0) {
    ema = task.average && model()->average.kind == RS_EMA;
    swa = task.average && model()->average.kind == RS_SWA;
    if (lane == 0) averaged[slot] = model()->averaged;
    if (ema || swa) {
      const float* const from = task.average + which * task.parameter_stride;
      average.template load<At>(0, model()->averaged > 0 ? from : nullptr, 0, layout, lane);
    }
  }
  const float loss_weight = model()->loss_weight, limit = largest_error(loss_weight);
  const int64_t rows = model()->rows;
  double loss_sum = model()->epoch_loss_sum;
  float last_loss = model()->last_loss;
  bool failed = model()->failed != 0;
  int64_t epoch = model()->epoch, row = model()->row;  // where the chunk at work starts
  int64_t left = live ? model()->share_of(task.steps) : 0;  // steps to take, from there on
  int ended = 0;                                            // epochs

  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(sizeof(chunks) / sizeof(float)); i += 32) {
    (&chunks[0][0][0])[i] = 0;
  }
  if (task.shuffled) shuffles[slot].make(model()->seed, epoch, rows, lane);
  __syncwarp();

  // Starts to copy the chunk of at most `to_go` rows that starts there in the epoch; returns its rows.
  const auto copy = [&](int stage, int64_t start, int64_t to_go) {
    int64_t some = rows - start < kChunk ? rows - start : kChunk;
    if (to_go < some) some = to_go;
    const int count = static_cast<int>(some);
    if (lane < count) {
      const int64_t origin = model()->first;
      Shuffle shuffle;
      if (task.shuffled) shuffle = shuffles[slot].get(rows);
      for (int r = lane; r < count; r += kModelLanes) {
        const int64_t at = origin + (task.shuffled ? shuffle.at(start + r) : start + r);
        float* to = &chunks[stage][slot][r * kRow];
        copy_row(task.x + at * task.inputs, task.inputs, to, kRow);
        copy_async<4>(to + kInputs, task.y + at);
      }
    }
    commit_copies();
    return count;
  };

  int stage = 0, looks = 0, stop = 0;
  int count = copy(0, row, left);
  while (__any_sync(0xFFFFFFFF, count > 0)) {
    const bool ends = row + count == rows;  // the epoch, with this chunk
    __syncwarp();                           // all have looked up its rows
    if (ends && task.shuffled) shuffles[slot].make(model()->seed, epoch + 1, rows, lane);
    __syncwarp();
    const int next = copy(stage ^ 1, ends ? 0 : row + count, left - count);
    wait_copies<1>();
    if constexpr (kMoments > 0) number_steps<Rule>(optimizers[slot], lane, numbers[slot]);
    __syncwarp();

    int longest = count;  // of the warp's models
#pragma unroll
    for (int apart = kModelLanes; apart < 32; apart *= 2) {
      const int other = __shfl_xor_sync(0xFFFFFFFF, longest, apart);
      longest = other > longest ? other : longest;
    }
    // The average moves after every step, or after the last one of the epoch.
    AverageStep average_step = {};
    bool averages_epoch = false;
    if constexpr (kMoments > 0) {
      averages_epoch = swa && ends && epoch >= model()->average.swa_start;
      if (ema || averages_epoch) average_step = AverageStep(model()->average, averaged[slot]);
    }
    const float* from = chunks[stage][slot];
    float ahead[kRow];
    load_row(from, ahead);
#pragma unroll kMoments == 0 ? 2 : 1
    for (int s = 0; s < longest; ++s) {
      float x[kInputs];
#pragma unroll
      for (int i = 0; i < kInputs; ++i) x[i] = ahead[i];
      const float y = ahead[kInputs];
      from += kRow;
      load_row(from, ahead);

      OneSample<kInputs, kUnits, A> sample;
      sample.forward(weights, x, y, units);
      const bool due = s < count, finite = fabsf(sample.e) <= limit, happens = due && finite;
      if constexpr (kMoments > 0) rule.take(numbers[slot][s]);
      rule.dispatch([&](const auto& own) {
        sample.backward(weights, x, [&](float& p, float g, int k) { own.apply(happens, g, p, moments, k); });
      });
      if constexpr (kMoments > 0) {
        if (happens && (ema || (averages_epoch && s == count - 1))) {
          weights.each([&](float p, int k) { average_step.move(p, average.at(0, k)); });
          average_step.first = false;
        }
      }
      const float loss = loss_weight * (sample.e * sample.e);
      last_loss = due ? loss : last_loss;
      loss_sum += happens ? loss : 0.0f;
      if (due && !finite) failed = true, count = s;
    }
    row += count;
    left -= count;
    if constexpr (kMoments > 0) {
      __syncwarp();  // all have read the state
      if (lane == 0) {
        for (int s = 0; s < count; ++s) advance(optimizers[slot].settings, optimizers[slot]);
        averaged[slot] += ema ? count : averages_epoch && row == rows;
      }
    }
    if (row == rows && count > 0) {
      if (lane == 0 && task.losses) task.losses[own * task.losses_capacity + ended] = loss_sum;
      ++ended, ++epoch;
      row = 0;
      loss_sum = 0;
    }
    count = failed ? 0 : next;
    stage ^= 1;
    // The host's word is asked for long before it is needed: it takes as long to come as many steps.
    if (++looks % kLooks == 0) {
      if (__shfl_sync(0xFFFFFFFF, stop, 0)) break;
      if (task.stop && threadIdx.x == 0) stop = *task.stop;
    }
  }
  wait_copies<0>();
  __syncwarp();

  if (!live) return;
  weights.store(parameters(), layout, lane);
  if constexpr (kMoments > 0) {
    for (int k = 0; k < kMoments; ++k) {
      float* const to = Rule::memory(task, optimizers[slot], k);
      if (to) moments.template store<At>(k, to + which * task.parameter_stride, layout, lane);
    }
    if ((ema || swa) && averaged[slot] > 0) {
      average.template store<At>(0, task.average + which * task.parameter_stride, layout, lane);
    }
  }
  if (lane == 0) {
    LatencyModel& m = *model();
    if constexpr (kMoments > 0) {
      m.optimizer = optimizers[slot];
      m.averaged = averaged[slot];
    }
    m.steps += m.share_of(task.steps) - left;
    m.epoch = epoch;
    m.row = row;
    m.epoch_loss_sum = loss_sum;
    m.last_loss = last_loss;
    m.failed = failed;
  }
}

// One row's gradient by one group, the others of the warp going along idly: the same forward and backward.
template <typename Shape, rs_activation A>
__global__ __launch_bounds__(32) void latency_gradient_one_kernel(const LatencyGradient task) {
  constexpr int kInputs = Shape::kInputs, kUnits = (Shape::kHidden + kModelLanes - 1) / kModelLanes;
  const int lane = static_cast<int>(threadIdx.x) % kModelLanes;
  const SmallLayout layout = {task.inputs, task.hidden};
  LaneWeights<kInputs, kUnits> weights;
  weights.load(task.parameters, layout, lane);
  const int64_t row = task.rows.at(0);
  float x[kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) x[i] = i < task.inputs ? task.rows.x[row * task.inputs + i] : 0.0f;

  OneSample<kInputs, kUnits, A> sample;
  sample.forward(weights, x, task.rows.y[row], layout.hidden - lane * kUnits);
  if (threadIdx.x >= kModelLanes) return;
  sample.backward(weights, x, [](float& p, float gradient, int) { p = gradient; });
  weights.store(task.gradient, layout, lane);
  if (lane == 0) task.gradient[layout.loss()] = task.loss_weight * (sample.e * sample.e);
  for (int p = layout.loss() + 1 + lane; p < layout.length(); p += kModelLanes) task.gradient[p] = 0;
}

}  // namespace rs::gpu
