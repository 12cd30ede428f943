// Steps of batches of 2 to 1024 rows, many in one launch, a thread block for each model.
//
//   task.x, task.y   [*, inputs], [*]   the dataset; each model reads the rows that are its own
//   task.model       [models]           settings, and how far each model has come: read at the start, written at the
//                                       end
//   task.parameters  [models][stride]   likewise; in between they are in shared memory
//   task.m, task.v   [models][stride]   likewise, the optimizer's moments
//   task.average     [models][stride]   likewise, the averages of models that keep one; may be null
//   task.losses      [models][capacity] a sum for each epoch that ends; may be null
//   task.stop        one word of the host's; may be null
//
// A step is fused_gradient's work on one small block of rows: a group of lanes a sample, weights and sums in
// registers. Then the warps' sums go to shared memory; each thread adds up and updates a few parameters, and all
// load their weights anew. Parameters lie in shared memory in the order of the sums, so that a thread updates what
// it adds up. Two barriers a step: sums are written, parameters are updated.
//
// Batches of up to 128 rows take 128 threads, larger ones 256: two warps for each scheduler, to fill each other's
// waits (with one lane a sample, 128 are as many as a tile has rows). Either leaves 255 registers a thread: two thread
// blocks of 128 fit on a multiprocessor.
//
// Rows come in tiles of 128, double-buffered; the copy runs one tile ahead of the work, over the ends of steps and
// epochs.
#pragma once

#include "device/async_copy.h"
#include "device/average_step.h"
#include "device/fused_shape.h"
#include "device/latency_rule.h"
#include "device/reduce_scatter.h"
#include "device/small_network.h"
#include "device/stored_shuffle.h"
#include "device/tiles.h"
#include "fused_network.h"

namespace rs::gpu {

constexpr int kLatencyThreads = 256, kLatencyTile = 128;

// No more groups than a tile has rows.
template <typename Shape>
int latency_threads(int64_t batch) {
  return batch <= kLatencySmallBatch || Shape::kLanes == 1 ? 128 : kLatencyThreads;
}

// A thread block at work on one model's batch.
template <typename Shape, rs_activation A>
struct BatchWorker {
  static constexpr int kInputs = Shape::kInputs, kLanes = Shape::kLanes, kUnits = Shape::kUnits;
  using At = ListOf<kInputs, kUnits>;
  static constexpr int kList = At::template kLength<32 / kLanes>, kGroupList = kLanes * kList;
  static constexpr int kWarps = kLatencyThreads / 32;
  static_assert(kLatencyThreads / 2 <= kLatencyTile, "a round of the groups fits into a tile, see latency_threads");

  struct Shared {
    alignas(16) float x[2][kLatencyTile * kInputs];
    alignas(16) float y[2][kLatencyTile];
    alignas(16) float parameters[kGroupList];  // in the order of a group's sums
    float sums[kWarps][kGroupList];
    StoredShuffle shuffles[2];  // of even and odd epochs
  };

  Shared& shared;
  SmallLayout layout;
  int thread, threads, lane, groups;
  unsigned owned;  // bit k: whether place thread + k threads of a group's sums stands for a parameter
  LaneGradient<kInputs, kUnits, A, false> gradient;

  __device__ __forceinline__ BatchWorker(Shared& shared, SmallLayout layout)
      : shared(shared),
        layout(layout),
        thread(static_cast<int>(threadIdx.x)),
        threads(static_cast<int>(blockDim.x)),
        lane(thread % kLanes),
        groups(threads / kLanes),
        owned(0) {
    for (int k = 0, i = thread; i < kGroupList; ++k, i += threads) owned |= unsigned{parameter_at(i) >= 0} << k;
  }

  // The parameter that place i of a group's sums stands for, or -1.
  __device__ __forceinline__ int parameter_at(int i) const {
    return At::parameter_at(layout, i / kList, i % kList);
  }

  // Brings what the parameters have each to the order of the sums: [kGroupList].
  __device__ __forceinline__ void load(const float* from, float* to) const {
    for (int i = thread; i < kGroupList; i += threads) {
      const int p = parameter_at(i);
      to[i] = p < 0 ? 0.0f : from[p];
    }
  }

  // And back.
  __device__ __forceinline__ void store(const float* from, float* to) const {
    for (int i = thread; i < kGroupList; i += threads) {
      const int p = parameter_at(i);
      const bool copy = i % kList == At::kBias2 && i >= kList;  // every lane has bias2
      if (p >= 0 && !copy) to[p] = from[i];
    }
  }

  // Rows that a tile of `count` needs room for: whole rounds of the groups.
  __device__ __forceinline__ int room(int count) const {
    const int rounds = (count + groups - 1) / groups * groups;
    return rounds < kLatencyTile ? rounds : kLatencyTile;
  }

  // Adds the gradients of a tile's rows.
  __device__ __forceinline__ void add(const LaneWeights<kInputs, kUnits>& weights, int stage, int count) {
#pragma unroll 2
    for (int first = 0; first < count; first += groups) {
      const int r = first + thread / kLanes;
      float x[kInputs];
      load_row(&shared.x[stage][r * kInputs], x);
      gradient.template add<kLanes>(weights, x, shared.y[stage][r], r < count);
    }
  }

  __device__ __forceinline__ LaneWeights<kInputs, kUnits> weights() const {
    float list[kList];
    load_row(&shared.parameters[lane * kList], list);
    LaneWeights<kInputs, kUnits> w;
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
#pragma unroll
      for (int i = 0; i < kInputs; ++i) w.weight1[u][i] = list[u * At::kUnit + i];
      w.bias1[u] = list[u * At::kUnit + kInputs];
      w.weight2[u] = list[u * At::kUnit + kInputs + 1];
    }
    w.bias2 = list[At::kBias2];
    return w;
  }

  // From the lanes' sums to the warps', as a tree. Afterwards, past a barrier, `sum` has the block's.
  __device__ __forceinline__ void write_sums() {
    float list[kList];
    gradient.list(list);
    const int start = lane * kList + reduce_scatter<kLanes>(list, thread);
#pragma unroll
    for (int k = 0; k < kList * kLanes / 32; ++k) shared.sums[thread / 32][start + k] = list[k];
  }

  // The warps' sums in order.
  __device__ __forceinline__ float sum(int i) const {
    float sum = shared.sums[0][i];
    for (int w = 1; w < threads / 32; ++w) sum += shared.sums[w][i];
    return sum;
  }
};

// The moments of a thread block's parameters, in the order of the sums.
template <int kMoments, int kCount>
struct BlockMoments {
  float values[kMoments > 0 ? kMoments : 1][kCount];

  __device__ __forceinline__ float& at(int moment, int k) { return values[moment][k]; }
};

template <typename Shape, rs_activation A, LatencyRule kRule>
__global__ __launch_bounds__(kLatencyThreads, 1) void latency_batch_kernel(const LatencySteps task) {
  using Worker = BatchWorker<Shape, A>;
  using Rule = typename RuleOf<kRule>::type;
  constexpr int kMoments = Rule::kMoments, kLooks = 256;
  __shared__ typename Worker::Shared shared;
  __shared__ BlockMoments<kMoments, Worker::kGroupList> moments;
  __shared__ OptimizerState optimizer;  // this and what follows thread 0 writes
  __shared__ Rule shared_rule;
  __shared__ int64_t averaged;
  __shared__ AverageStep average_step;
  __shared__ double loss_sum;
  __shared__ float last_loss;
  __shared__ int stop;

  LatencyModel& model = task.model[blockIdx.x];
  float* const parameters = task.parameters + blockIdx.x * task.parameter_stride;
  const int most = model.share_of(task.steps);
  if (most == 0) return;
  Worker worker(shared, {task.inputs, task.hidden});
  const int64_t all_rows = model.rows;
  int ended = 0;  // epochs
  bool failed = false;
  const auto step_rows = [&](int64_t row) {
    return static_cast<int>(all_rows - row < task.batch ? all_rows - row : task.batch);
  };

  // Makes the order of the launch's epoch `epochs`, by 8 lanes.
  const auto shuffle = [&](int epochs, int lane) {
    shared.shuffles[epochs % 2].make(model.seed, model.epoch + epochs, all_rows, lane);
  };

  // In the order of the sums, where the model keeps one.
  RS_DYNAMIC_SHARED(float, average);
  const auto averages = [&] { return kMoments > 0 && task.average && model.average.kind != RS_NO_AVERAGE; };
  // The move after the step at work, which ends its epoch or does not.
  const auto next_average = [&](bool ends) {
    if (!averages()) return AverageStep();
    const bool moves = model.average.kind == RS_EMA || (ends && model.epoch + ended >= model.average.swa_start);
    return moves ? AverageStep(model.average, averaged) : AverageStep();
  };

  // Where the step at work starts, and the steps to go, it included; and for the copies, which are ahead, the first
  // row of the tile in its step too, and how many epochs they have entered.
  int64_t row = model.row, copy_row = row;
  int left = most, copy_left = left, copy_tile = 0, copy_epochs = 0;
  const auto copy = [&](int stage) {
    if (copy_left > 0) {
      Rows rows = {task.x, task.y, copy_row, Shuffle(), task.shuffled};
      if (task.shuffled) rows.shuffle = shared.shuffles[copy_epochs % 2].get(all_rows);
      // With an epoch's first tile the last epoch's order is done with: there is room for the next one's. A barrier
      // lies between this and any copy before or after.
      if (task.shuffled && copy_epochs > 0 && copy_row == 0 && copy_tile == 0 && worker.thread < 8) {
        shuffle(copy_epochs + 1, worker.thread);
      }
      const int some = step_rows(copy_row), rest = some - copy_tile, count = rest < kLatencyTile ? rest : kLatencyTile;
      copy_rows<Worker::kInputs>(rows, model.first, task.inputs, copy_tile, count, worker.room(count),
                                 shared.x[stage], shared.y[stage]);
      copy_tile += kLatencyTile;
      if (copy_tile >= some) {
        copy_tile = 0;
        copy_row += some;
        --copy_left;
        if (copy_row == all_rows) {
          copy_row = 0;
          ++copy_epochs;
        }
      }
    }
    commit_copies();
  };
  worker.load(parameters, shared.parameters);
  if constexpr (kMoments > 0) {
    for (int k = 0; k < kMoments; ++k) {
      const float* const from = Rule::memory(task, model.optimizer, k);
      if (from) {
        worker.load(from + blockIdx.x * task.parameter_stride, moments.values[k]);
      } else {
        const float fresh = Rule::fresh(model.optimizer);
        for (int i = worker.thread; i < Worker::kGroupList; i += worker.threads) moments.values[k][i] = fresh;
      }
    }
    if (averages() && model.averaged > 0) worker.load(task.average + blockIdx.x * task.parameter_stride, average);
  }
  if (task.shuffled && worker.thread < 16) shuffle(worker.thread / 8, worker.thread % 8);
  if (worker.thread == 0) {
    if constexpr (kMoments > 0) {
      optimizer = model.optimizer;
      shared_rule = Rule(model);
      averaged = model.averaged;
    }
    loss_sum = model.epoch_loss_sum;
    stop = 0;
  }
  __syncthreads();
  copy(0);
  wait_copies<0>();
  __syncthreads();

  int stage = 0, looks = 0;
  while (left > 0) {
    const LaneWeights<Worker::kInputs, Worker::kUnits> weights = worker.weights();
    const int rows = step_rows(row);
    worker.gradient.clear();
    for (int tile = 0; tile < rows; tile += kLatencyTile) {
      if (tile > 0) {
        wait_copies<0>();
        __syncthreads();  // all see this tile, and all are done with the one before
      }
      copy(stage ^ 1);
      worker.add(weights, stage, rows - tile < kLatencyTile ? rows - tile : kLatencyTile);
      stage ^= 1;
    }
    worker.write_sums();
    if (worker.thread == 0 && task.stop && ++looks % kLooks == 0) stop = *task.stop;
    if constexpr (kMoments > 0) {
      if (worker.thread == 0) {
        shared_rule.take(Rule::numbers_of(optimizer, optimizer));
        average_step = next_average(row + rows == all_rows);
      }
    }
    __syncthreads();

    const float loss = model.loss_weight * worker.sum(Worker::At::kLoss);
    if (worker.thread == 0) last_loss = loss;
    failed = !(loss < __uint_as_float(0x7F800000));
    if (failed) break;  // all threads: the loss is the same sum to each
    const Rule rule = kMoments == 0 ? Rule(model) : shared_rule;
    const float scale = 1.0f / static_cast<float>(rows);
    rule.dispatch([&](const auto& own) {
      for (int k = 0, i = worker.thread; i < Worker::kGroupList; ++k, i += worker.threads) {
        if (worker.owned >> k & 1) own.apply(true, worker.sum(i) * scale, shared.parameters[i], moments, i);
      }
    });
    if constexpr (kMoments > 0) {
      if (average_step.happens) {
        for (int i = worker.thread; i < Worker::kGroupList; i += worker.threads) {
          average_step.move(shared.parameters[i], average[i]);
        }
      }
    }
    --left;
    row += rows;
    const bool ends = row == all_rows;
    if (worker.thread == 0) {
      if constexpr (kMoments > 0) {
        advance(optimizer.settings, optimizer);
        averaged += average_step.happens;
      }
      loss_sum += loss;
      if (ends && task.losses) task.losses[blockIdx.x * task.losses_capacity + ended] = loss_sum;
      if (ends) loss_sum = 0;
    }
    if (ends) row = 0, ++ended;
    const bool stops = stop != 0;
    wait_copies<0>();
    __syncthreads();
    if (stops) break;
  }
  wait_copies<0>();
  __syncthreads();

  worker.store(shared.parameters, parameters);
  if constexpr (kMoments > 0) {
    for (int k = 0; k < kMoments; ++k) {
      float* const to = Rule::memory(task, optimizer, k);
      if (to) worker.store(moments.values[k], to + blockIdx.x * task.parameter_stride);
    }
    if (averages() && averaged > 0) worker.store(average, task.average + blockIdx.x * task.parameter_stride);
    if (worker.thread == 0) {
      model.optimizer = optimizer;
      model.averaged = averaged;
    }
  }
  if (worker.thread == 0) {
    model.steps += most - left;
    model.epoch += ended;
    model.row = row;
    model.epoch_loss_sum = loss_sum;
    if (left < most || failed) model.last_loss = last_loss;
    model.failed = failed;
  }
}

// One batch's gradient, by the same steps up to the update.
template <typename Shape, rs_activation A>
__global__ __launch_bounds__(kLatencyThreads, 1) void latency_gradient_batch_kernel(const LatencyGradient task) {
  using Worker = BatchWorker<Shape, A>;
  __shared__ typename Worker::Shared shared;
  const SmallLayout layout = {task.inputs, task.hidden};
  Worker worker(shared, layout);
  worker.load(task.parameters, shared.parameters);
  const int rows = static_cast<int>(task.count);
  const auto copy = [&](int stage, int first) {
    if (first < rows) {
      const int count = rows - first < kLatencyTile ? rows - first : kLatencyTile;
      copy_rows<Worker::kInputs>(task.rows, 0, task.inputs, first, count, worker.room(count), shared.x[stage],
                                 shared.y[stage]);
    }
    commit_copies();
  };
  copy(0, 0);
  wait_copies<0>();
  __syncthreads();

  const LaneWeights<Worker::kInputs, Worker::kUnits> weights = worker.weights();
  worker.gradient.clear();
  int stage = 0;
  for (int tile = 0; tile < rows; tile += kLatencyTile) {
    if (tile > 0) {
      wait_copies<0>();
      __syncthreads();
    }
    copy(stage ^ 1, tile + kLatencyTile);
    worker.add(weights, stage, rows - tile < kLatencyTile ? rows - tile : kLatencyTile);
    stage ^= 1;
  }
  wait_copies<0>();
  worker.write_sums();
  __syncthreads();
  for (int i = worker.thread; i < Worker::kGroupList; i += worker.threads) {
    const int p = worker.parameter_at(i);
    const bool copy_of_bias2 = i % Worker::kList == Worker::At::kBias2 && i >= Worker::kList;
    if (p >= 0 && !copy_of_bias2) task.gradient[p] = worker.sum(i);
  }
  if (worker.thread == 0) task.gradient[layout.loss()] = task.loss_weight * worker.sum(Worker::At::kLoss);
  for (int p = layout.loss() + 1 + worker.thread; p < layout.length(); p += worker.threads) task.gradient[p] = 0;
}

}  // namespace rs::gpu
