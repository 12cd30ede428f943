#include "cpu/lane_group.h"

#include <algorithm>

#include "prefetch.h"

namespace rs::cpu {
namespace {

NetworkView view_of(const Network& network) {
  return {network.layers.data(), static_cast<int32_t>(network.layers.size()), network.activation,
          network.parameter_count, network.widest, false};
}

// Whether there is more for a model to do in this call.
bool goes_on(const rs_fit& fit) {
  const bool at_limit = fit.step_limit > 0 && fit.steps >= fit.step_limit;
  const bool pauses = fit.losses_capacity > 0 && fit.losses_count >= fit.losses_capacity;
  return fit.epoch < fit.epochs && !at_limit && !pauses;
}

// Between a model's own vector and its lane; the lane of a vector that the model has not is never looked at.
void to_lane(const float* values, int64_t count, int lane, float* lanes) {
  for (int64_t i = 0; values && i < count; ++i) lanes[i * kModelLanes + lane] = values[i];
}

void from_lane(const float* lanes, int64_t count, int lane, float* values) {
  for (int64_t i = 0; values && i < count; ++i) values[i] = lanes[i * kModelLanes + lane];
}

// Whether it pays to read a model's rows once in their own order, as it will visit them in a random one.
bool fits_near(const rs_dataset& data, const LaneWork& work) {
  constexpr int64_t kMostRows = 1 << 10, kMostValues = 1 << 14;
  return work.fit->shuffle && work.rows < data.rows && work.rows <= kMostRows && work.rows * data.inputs <= kMostValues;
}

// Reads them, which the processor is quick at. Prefetches would be dropped where a page is not known yet.
void bring_near(const rs_dataset& data, const LaneWork& work) {
  constexpr int64_t kLine = 64 / sizeof(float);
  if (!fits_near(data, work)) return;
  float sum = 0;
  const auto read = [&](const float* from, int64_t count) {
    for (int64_t i = 0; i < count; i += kLine) sum += from[i];
  };
  read(data.x.get() + work.first_row * data.inputs, work.rows * data.inputs);
  read(data.y.get() + work.first_row * data.outputs, work.rows * data.outputs);
  volatile float sink = sum;
  static_cast<void>(sink);
}

}  // namespace

LaneGroup::LaneGroup(const Network& network, rs_optimizer_kind kind)
    : network_(network),
      kernels_(kernels()),
      parameters_(network.parameter_count * kModelLanes),
      m_(network.parameter_count * kModelLanes),
      v_(network.parameter_count * kModelLanes),
      gradient_(network.parameter_count * kModelLanes),
      loss_weights_(int64_t{network.outputs()} * kModelLanes),
      workspace_(kernels_.lane_workspace_length(view_of(network))),
      index_(size_t{kTileSlots} * kModelLanes),
      rates_(size_t{kTileSlots} * kModelLanes),
      lanes_() {
  lanes_.network = view_of(network);
  lanes_.kind = kind;
  lanes_.parameters = parameters_.get();
  lanes_.m = m_.get();
  lanes_.v = v_.get();
  lanes_.gradient = gradient_.get();
  lanes_.loss_weights = loss_weights_.get();
}

void LaneGroup::run(const rs_dataset& data, const Next& next, const std::function<void(const LaneWork&)>& failed,
                    const Deadline& deadline) {
  bool more = true;
  waiting_count_ = waiting_taken_ = 0;
  coming_ = {};
  for (;;) {
    bool any = false, entered = false;
    const bool waits = all_end_soon();
    for (int k = 0; k < kModelLanes; ++k) {
      LaneWork work;
      if (more && !waits && !lane_[k].used && (more = take(next, &work))) {
        enter(k, work);
        bring_near(data, work);
        entered = true;
      }
      any = any || lane_[k].used;
    }
    if (!any) return;
    if (entered) {
      choose_rules();
      if (more) look_ahead(data, next);
    }
    train_tile(data);
    const bool late = deadline.is_past();
    for (int k = 0; k < kModelLanes; ++k) {
      if (!lane_[k].used) continue;
      const rs_fit& fit = *lane_[k].work.fit;
      const bool lost = !lanes_.alive[k];
      if (!lost && !late && goes_on(fit)) continue;
      leave(k);
      if (lost) failed(lane_[k].work);
    }
    if (late) return;
  }
}

bool LaneGroup::take(const Next& next, LaneWork* work) {
  if (waiting_taken_ == waiting_count_) return next(work, 1, false) > 0;
  *work = waiting_[waiting_taken_++];
  return true;
}

// Takes work for when the lanes are free, and has all that it needs brought near while those who are in them train: models
// that only stay for an epoch would wait for memory a good part of the time.
void LaneGroup::look_ahead(const rs_dataset& data, const Next& next) {
  constexpr int64_t kMostLines = 32;
  if (waiting_taken_ < waiting_count_) return;
  waiting_taken_ = 0;
  waiting_count_ = next(waiting_, kModelLanes, true);
  coming_ = {};
  for (int i = 0; i < waiting_count_; ++i) {
    waiting_[i].trainer->prefetch();
    prefetch(waiting_[i].fit, sizeof(rs_fit));
  }
  for (int i = 0; i < waiting_count_; ++i) {
    const LaneWork& work = waiting_[i];
    Optimizer& optimizer = work.trainer->optimizer();
    add_coming(work.trainer->change_parameters(), network_.parameter_count);
    add_coming(optimizer.m(), network_.parameter_count);
    add_coming(optimizer.v(), network_.parameter_count);
    if (work.trainer->averaged() > 0) add_coming(work.trainer->change_average(), network_.parameter_count);
    if (!fits_near(data, work)) continue;
    add_coming(data.x.get() + work.first_row * data.inputs, work.rows * data.inputs);
    add_coming(data.y.get() + work.first_row * data.outputs, work.rows * data.outputs);
  }
  int64_t lines = 0, steps = INT64_MAX;
  for (int i = 0; i < coming_.count; ++i) lines += (coming_.ranges[i].end - coming_.ranges[i].next) / 64 + 1;
  for (const Lane& lane : lane_) {
    if (lane.used) steps = std::min(steps, steps_left(lane));
  }
  coming_.lines = std::min(kMostLines, lines / steps + 1);
}

void LaneGroup::add_coming(const void* from, int64_t floats) {
  const char* const begin = static_cast<const char*>(from);
  if (begin) coming_.ranges[coming_.count++] = {begin, begin + floats * static_cast<int64_t>(sizeof(float))};
}

// Whether all that are in a lane leave it within a few steps. Who enters then enters with them: out of step with each other
// they would cut the tiles, which end with anyone's epoch, ever shorter.
bool LaneGroup::all_end_soon() const {
  constexpr int64_t kSoon = 16;
  bool any = false;
  for (const Lane& lane : lane_) {
    if (!lane.used) continue;
    any = true;
    if (steps_left(lane) > kSoon) return false;
  }
  return any;
}

void LaneGroup::enter(int k, const LaneWork& work) {
  Lane& lane = lane_[k];
  lane.work = work;
  lane.used = true;
  Optimizer& optimizer = work.trainer->optimizer();
  const int64_t count = network_.parameter_count;
  to_lane(work.trainer->change_parameters(), count, k, parameters_.get());
  to_lane(optimizer.m(), count, k, m_.get());
  to_lane(optimizer.v(), count, k, v_.get());
  for (int32_t o = 0; o < network_.outputs(); ++o) {
    const float scale = work.fit->target_scale ? work.fit->target_scale[o] : 1.0f;
    loss_weights_.get()[o * kModelLanes + k] = scale * scale;
  }
  if (work.fit->steps == 0) work.trainer->forget_average();
  const bool averages = work.fit->average.kind == RS_EMA;
  if (averages) {
    average_.reserve(count * kModelLanes);
    if (work.trainer->averaged() > 0) to_lane(work.trainer->change_average(), count, k, average_.get());
  }
  lanes_.averages[k] = averages ? -1 : 0;
  lanes_.averaged[k] = work.trainer->averaged() > 0 ? -1 : 0;
  lanes_.average_share[k] = static_cast<float>(1 - work.fit->average.ema_decay);
  const rs_optimizer& settings = optimizer.settings();
  lane.schedule.emplace(*work.fit, settings.lr, work.rows);
  lanes_.momentum[k] = static_cast<float>(settings.momentum);
  lanes_.weight_decay[k] = static_cast<float>(settings.weight_decay);
  lanes_.exact_weight_decay[k] = settings.weight_decay;
  lanes_.nesterov = settings.nesterov != 0;
  lanes_.beta1 = settings.beta1;
  lanes_.beta2 = settings.beta2;
  lanes_.eps = settings.eps;
  const Optimizer::Progress& progress = optimizer.progress();
  lanes_.first[k] = progress.steps == 0 ? -1 : 0;
  lanes_.beta1_power[k] = progress.beta1_power;
  lanes_.beta2_power[k] = progress.beta2_power;
  lanes_.alive[k] = -1;
  lanes_.loss_sum[k] = work.fit->epoch_loss_sum;
  begin_epoch(lane);
}

// What the lanes together need. A lane that nobody uses keeps its last settings and asks for no less.
void LaneGroup::choose_rules() {
  lanes_.any_momentum = false;
  lanes_.plain = lanes_.kind == RS_SGD;
  lanes_.average = nullptr;
  for (int k = 0; k < kModelLanes; ++k) {
    if (!lane_[k].used) continue;
    if (lanes_.averages[k]) lanes_.average = average_.get();
    lanes_.any_momentum = lanes_.any_momentum || lanes_.momentum[k] != 0;
    lanes_.plain = lanes_.plain && lanes_.momentum[k] == 0 && lanes_.weight_decay[k] == 0;
  }
}

void LaneGroup::leave(int k) {
  Lane& lane = lane_[k];
  Optimizer& optimizer = lane.work.trainer->optimizer();
  const int64_t count = network_.parameter_count;
  from_lane(parameters_.get(), count, k, lane.work.trainer->change_parameters());
  from_lane(m_.get(), count, k, optimizer.m());
  from_lane(v_.get(), count, k, optimizer.v());
  Optimizer::Progress progress = optimizer.progress();
  progress.steps = lanes_.first[k] ? 0 : std::max<int64_t>(progress.steps, 1);
  progress.beta1_power = lanes_.beta1_power[k];
  progress.beta2_power = lanes_.beta2_power[k];
  optimizer.set_progress(progress);
  if (lanes_.averaged[k] && lanes_.averages[k]) from_lane(average_.get(), count, k, lane.work.trainer->change_average());
  lane.used = false;
  lanes_.alive[k] = 0;
}

void LaneGroup::begin_epoch(Lane& lane) {
  const rs_fit& fit = *lane.work.fit;
  lane.ahead_begin = lane.ahead_end = 0;
  if (fit.shuffle && fit.epoch < fit.epochs) lane.shuffle = Shuffle(fit.seed, static_cast<uint64_t>(fit.epoch), lane.work.rows);
}

int64_t LaneGroup::rows_of_step(const Lane& lane) const {
  return std::min(lane.work.fit->batch, lane.work.rows - lane.work.fit->row);
}

// Steps of as many rows as the next one.
int64_t LaneGroup::steps_ahead(const Lane& lane) const {
  const rs_fit& fit = *lane.work.fit;
  const int64_t steps = std::max<int64_t>(1, (lane.work.rows - fit.row) / fit.batch);
  return fit.step_limit > 0 ? std::min(steps, fit.step_limit - fit.steps) : steps;
}

// Steps until there is no more for it to do in this call where that is within the epoch.
int64_t LaneGroup::steps_left(const Lane& lane) const {
  const rs_fit& fit = *lane.work.fit;
  const bool last_epoch = fit.epoch + 1 >= fit.epochs || (fit.losses_capacity > 0 && fit.losses_count + 1 >= fit.losses_capacity);
  const int64_t rows = last_epoch ? lane.work.rows - fit.row : INT64_MAX;
  const int64_t steps = (rows - 1) / fit.batch + 1;
  return fit.step_limit > 0 ? std::min(steps, fit.step_limit - fit.steps) : steps;
}

bool LaneGroup::all_on_the_same_rows() const {
  const Lane* first = nullptr;
  for (const Lane& lane : lane_) {
    if (!lane.used) continue;
    if (!first) first = &lane;
    const rs_fit &a = *lane.work.fit, &b = *first->work.fit;
    const bool same_order = a.shuffle == b.shuffle && (!a.shuffle || (a.seed == b.seed && a.epoch == b.epoch));
    if (lane.work.first_row != first->work.first_row || lane.work.rows != first->work.rows || a.row != b.row || !same_order) {
      return false;
    }
  }
  return true;
}

// The dataset's next `rows` rows from the lane's position on, which are within the epoch.
const int64_t* LaneGroup::rows_ahead(Lane& lane, int64_t rows) const {
  const rs_fit& fit = *lane.work.fit;
  if (fit.row < lane.ahead_begin || fit.row + rows > lane.ahead_end) {
    const int64_t count = std::min<int64_t>(kRowsAhead, lane.work.rows - fit.row);
    const Rows own = {nullptr, nullptr, fit.row, fit.shuffle ? &lane.shuffle : nullptr};
    kernels_.find_rows(own, 0, static_cast<int>(count), lane.ahead);
    for (int64_t i = 0; i < count; ++i) lane.ahead[i] += lane.work.first_row;
    lane.ahead_begin = fit.row;
    lane.ahead_end = fit.row + count;
  }
  return lane.ahead + (fit.row - lane.ahead_begin);
}

// Trains all lanes for the same number of steps, none of them beyond its epoch.
void LaneGroup::train_tile(const rs_dataset& data) {
  LaneTile tile = {};
  tile.x = data.x.get();
  tile.y = data.y.get();
  tile.steps = kTileSlots;
  int64_t most = 0, least = INT64_MAX;
  Lane* any = nullptr;
  for (int k = 0; k < kModelLanes; ++k) {
    lanes_.steps[k] = 0;
    if (!lane_[k].used) continue;
    any = &lane_[k];
    tile.counts[k] = static_cast<int32_t>(rows_of_step(lane_[k]));
    most = std::max<int64_t>(most, tile.counts[k]);
    least = std::min<int64_t>(least, tile.counts[k]);
    tile.steps = std::min(tile.steps, steps_ahead(lane_[k]));
  }
  tile.rows = static_cast<int>(most);
  tile.ragged = most != least;
  tile.steps = tile.ragged ? 1 : std::min<int64_t>(tile.steps, kTileSlots / most);
  tile.shared = !tile.ragged && all_on_the_same_rows();
  tile.index = index_.data();
  if (tile.shared) {
    tile.index = rows_ahead(*any, tile.slots());
  } else {
    for (int k = 0; k < kModelLanes; ++k) {
      // A lane with fewer rows, or none, reads some row again and ignores it.
      const int64_t has = lane_[k].used ? tile.steps * tile.counts[k] : 0;
      const int64_t* own = has > 0 ? rows_ahead(lane_[k], has) : nullptr;
      const int64_t spare = has > 0 ? own[0] : any->work.first_row;
      for (int64_t s = 0; s < tile.slots(); ++s) index_[static_cast<size_t>(s * kModelLanes + k)] = s < has ? own[s] : spare;
    }
  }
  tile.coming = coming_.current < coming_.count ? &coming_ : nullptr;
  set_rates(tile);
  kernels_.lane_steps(lanes_, tile, workspace_.get());
  for (int k = 0; k < kModelLanes; ++k) {
    if (lane_[k].used) advance(k, lanes_.steps[k], tile.counts[k]);
  }
}

// The learning rates of the tile's steps: where no lane's changes on the way, they are set once.
void LaneGroup::set_rates(LaneTile& tile) {
  tile.rates = nullptr;
  for (int k = 0; k < kModelLanes; ++k) {
    if (!lane_[k].used) continue;
    const int64_t steps = lane_[k].work.fit->steps;
    lanes_.exact_lr[k] = lane_[k].schedule->rate(steps);
    lanes_.lr[k] = static_cast<float>(lanes_.exact_lr[k]);
    if (lane_[k].schedule->steps_at_rate(steps) < tile.steps) tile.rates = rates_.data();
  }
  if (!tile.rates) return;
  for (int k = 0; k < kModelLanes; ++k) {
    for (int64_t s = 0; s < tile.steps; ++s) {
      const double rate = lane_[k].used ? lane_[k].schedule->rate(lane_[k].work.fit->steps + s) : 0;
      rates_[static_cast<size_t>(s * kModelLanes + k)] = rate;
    }
  }
}

// `rows` a step.
void LaneGroup::advance(int k, int64_t steps, int64_t rows) {
  Lane& lane = lane_[k];
  rs_fit& fit = *lane.work.fit;
  fit.steps += steps;
  fit.row += steps * rows;
  fit.epoch_loss_sum = lanes_.loss_sum[k];
  if (steps > 0 || !lanes_.alive[k]) {
    lane.work.trainer->set_last_loss(lanes_.loss[k] / (static_cast<double>(rows) * network_.outputs()));
  }
  if (fit.average.kind == RS_EMA) lane.work.trainer->count_averaged(steps);
  if (fit.row < lane.work.rows) return;
  if (fit.average.kind == RS_SWA && fit.epoch >= fit.average.swa_start) take_epoch_into_average(k);
  if (fit.losses) fit.losses[fit.epoch] = fit.epoch_loss_sum / (static_cast<double>(lane.work.rows) * network_.outputs());
  fit.losses_count += 1;
  fit.epoch += 1;
  fit.row = 0;
  fit.epoch_loss_sum = 0;
  lanes_.loss_sum[k] = 0;
  begin_epoch(lane);
}

// Of the parameters at the end of an epoch.
void LaneGroup::take_epoch_into_average(int k) {
  Trainer& trainer = *lane_[k].work.trainer;
  from_lane(parameters_.get(), network_.parameter_count, k, trainer.change_parameters());
  trainer.add_epoch_to_average();
}

}  // namespace rs::cpu
