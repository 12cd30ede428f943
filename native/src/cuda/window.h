// How a fit is cut into windows: runs of steps that are enqueued together, as one graph where their shape comes again
// and again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rs::cuda {

// Of one window, and so of one graph.
constexpr int64_t kMostSteps = 64;

// Windows that are enqueued before the host looks at the oldest.
constexpr int kFlights = 4;

// What the steps of a window look like, wherever they are. Equal shapes can share a graph.
struct WindowShape {
  int64_t batch;
  int64_t steps;
  int64_t epochs;      // that it consists of, whole; 0 where it lies within one
  int64_t epoch_rows;  // of each such epoch

  bool operator==(const WindowShape& other) const {
    return batch == other.batch && steps == other.steps && epochs == other.epochs && epoch_rows == other.epoch_rows;
  }
};

struct Window {
  int64_t epoch;  // where it starts
  int64_t row;
  int64_t rows;   // that it visits
  WindowShape shape;
  bool repeats;   // windows of this shape come again: a graph pays
};

// What is left of a fit.
struct Remainder {
  int64_t rows;         // of the dataset
  int64_t batch;        // at most rows
  int64_t epochs;       // in all
  int64_t most_epochs;  // that may end before the next look of the host's caller
};

// The next window from a position on. `most_steps` is at most kMostSteps.
inline Window next_window(int64_t epoch, int64_t row, const Remainder& fit, int64_t most_steps) {
  const int64_t steps_per_epoch = (fit.rows + fit.batch - 1) / fit.batch;
  const int64_t epochs = std::min({most_steps / steps_per_epoch, fit.epochs - epoch, fit.most_epochs});
  if (row == 0 && epochs >= 2) {
    const bool full = epochs == most_steps / steps_per_epoch;
    return {epoch, row, epochs * fit.rows, {fit.batch, epochs * steps_per_epoch, epochs, fit.rows}, full};
  }
  const int64_t whole = std::min((fit.rows - row) / fit.batch, most_steps);
  if (whole == most_steps) return {epoch, row, whole * fit.batch, {fit.batch, whole, 0, 0}, true};
  // To the end of the epoch, with a last batch that may have fewer rows.
  return {epoch, row, fit.rows - row, {fit.batch, (fit.rows - row + fit.batch - 1) / fit.batch, 0, 0}, false};
}

}  // namespace rs::cuda
