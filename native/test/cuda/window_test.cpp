// Windows of a fit: every row of every epoch is visited once, in order, whatever the sizes.
#include "cuda/window.h"

#include <cstdio>

#include "check.h"

using rs::cuda::next_window;
using rs::cuda::Remainder;
using rs::cuda::Window;

namespace {

void walk(int64_t rows, int64_t batch, int64_t epochs, int64_t most_epochs, int64_t most_steps, int64_t start) {
  int64_t epoch = 0, row = start;
  while (epoch < epochs) {
    const Window w = next_window(epoch, row, Remainder{rows, batch, epochs, most_epochs}, most_steps);
    CHECK(w.epoch == epoch && w.row == row, "a window starts elsewhere");
    CHECK(w.rows >= 1 && w.shape.steps >= 1 && w.shape.steps <= most_steps, "rows %d, batch %d, steps %d",
          static_cast<int>(rows), static_cast<int>(batch), static_cast<int>(w.shape.steps));
    if (w.shape.epochs > 0) {
      CHECK(row == 0 && w.rows == w.shape.epochs * rows && w.shape.epoch_rows == rows, "whole epochs");
      CHECK(w.shape.epochs <= most_epochs, "more epochs than are wanted");
      CHECK(w.shape.steps == w.shape.epochs * ((rows + batch - 1) / batch), "steps of whole epochs");
      epoch += w.shape.epochs;
      CHECK(epoch <= epochs, "an epoch too many");
      continue;
    }
    CHECK(row + w.rows <= rows, "beyond the end of the epoch");
    CHECK(w.shape.steps == (w.rows + batch - 1) / batch, "steps within an epoch");
    // Only the last batch of an epoch may be smaller, and never one that a graph repeats.
    CHECK(w.rows % batch == 0 || (row + w.rows == rows && !w.repeats), "a short batch in the middle");
    row += w.rows;
    if (row == rows) {
      row = 0;
      ++epoch;
    }
  }
  CHECK(row == 0, "the last epoch was left open");
}

}  // namespace

int main() {
  int walks = 0;
  for (const int64_t rows : {1, 2, 7, 64, 100, 257, 10000}) {
    for (const int64_t batch : {1, 2, 3, 32, 100, 257, 9999}) {
      if (batch > rows) continue;
      for (const int64_t epochs : {1, 2, 65}) {
        for (const int64_t most_epochs : {int64_t{1}, int64_t{3}, INT64_MAX}) {
          for (const int64_t most_steps : {1, 2, 64}) {
            for (const int64_t start : {int64_t{0}, rows / 2}) {
              walk(rows, batch, epochs, most_epochs, most_steps, start);
              ++walks;
            }
          }
        }
      }
    }
  }
  printf("%d fits cut into windows\n", walks);
  return 0;
}
