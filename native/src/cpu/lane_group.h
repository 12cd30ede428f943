// Sixteen lanes of one thread, through which models pass: whenever one is done, the next takes its lane.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "aligned_buffer.h"
#include "cpu/cpu_trainer.h"
#include "cpu/kernels.h"
#include "dataset.h"
#include "deadline.h"
#include "ringstep.h"
#include "schedule.h"
#include "shuffle.h"

namespace rs::cpu {

// A model to be trained from the position in its fit on.
struct LaneWork {
  int32_t model = -1;
  Trainer* trainer = nullptr;
  rs_fit* fit = nullptr;  // its step_limit and losses_capacity hold
  int64_t first_row = 0;
  int64_t rows = 0;
};

class LaneGroup {
 public:
  // Gives work for as many lanes as there is some left for, at most `most`, and says for how many. Whoever takes it `ahead`
  // of the time gets some only where there is plenty.
  using Next = std::function<int(LaneWork*, int most, bool ahead)>;

  explicit LaneGroup(const Network& network, rs_optimizer_kind kind);

  // Takes work from `next` until all is done or the time is up. A model whose loss is not finite is given to `failed`.
  // Nothing is thrown.
  void run(const rs_dataset& data, const Next& next, const std::function<void(const LaneWork&)>& failed,
           const Deadline& deadline);

 private:
  static constexpr int kRowsAhead = 512;

  struct Lane {
    LaneWork work;
    bool used = false;
    Shuffle shuffle;
    std::optional<Schedule> schedule;
    // The dataset's rows at positions [ahead_begin, ahead_end) of the epoch: a shuffle is quick with many at once.
    int64_t ahead[kRowsAhead];
    int64_t ahead_begin = 0, ahead_end = 0;
  };

  // Rows of all lanes that one tile may have, steps times rows a step.
  static constexpr int kTileSlots = 64;

  bool take(const Next& next, LaneWork* work);
  void look_ahead(const rs_dataset& data, const Next& next);
  void add_coming(const void* from, int64_t floats);
  bool all_end_soon() const;
  int64_t steps_left(const Lane& lane) const;
  void enter(int lane, const LaneWork& work);
  void leave(int lane);
  void choose_rules();
  void train_tile(const rs_dataset& data);
  const int64_t* rows_ahead(Lane& lane, int64_t rows) const;
  bool all_on_the_same_rows() const;
  int64_t rows_of_step(const Lane& lane) const;
  int64_t steps_ahead(const Lane& lane) const;
  void advance(int lane, int64_t steps, int64_t rows);
  void begin_epoch(Lane& lane);
  void set_rates(LaneTile& tile);
  void take_epoch_into_average(int lane);

  const Network& network_;
  const Kernels& kernels_;
  AlignedBuffer parameters_, m_, v_, gradient_, average_, loss_weights_, workspace_;
  std::vector<int64_t> index_;
  std::vector<double> rates_;
  ModelLanes lanes_;
  Lane lane_[kModelLanes];

  // Work that is taken but waits for a lane, and what of it is to come into the cache meanwhile.
  LaneWork waiting_[kModelLanes];
  int waiting_count_ = 0, waiting_taken_ = 0;
  Coming coming_ = {};
};

}  // namespace rs::cpu
