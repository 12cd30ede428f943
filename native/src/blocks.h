// How a batch is cut into blocks of rows.
//
// The cut depends on the batch and the network alone. Within a block the order of additions is fixed,
// and sums of blocks are added exactly (exact_sum.h), so any number of threads gives the same bits.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rs {

// Batches below this take their rows one by one: more where a network's weights, packed, make that quick.
constexpr int64_t kRowPathBatch = 8, kPackedRowPathBatch = 32;

struct Blocks {
  int64_t batch;
  int64_t rows;   // of each block but the last
  int64_t count;

  Blocks(int64_t batch, int64_t parameter_count)
      : batch(batch), rows(block_rows(batch, parameter_count)), count((batch + rows - 1) / rows) {}

  int64_t first(int64_t block) const { return block * rows; }
  int64_t size(int64_t block) const { return std::min(rows, batch - first(block)); }

 private:
  // Blocks are large enough to pay for adding up their gradients, which takes a small network as long as some 50 rows;
  // small enough to share out among threads and ranks, for whom less than a microsecond or two would not pay anyway;
  // and few enough for all their gradients to be kept (64 MB, or 8 of them).
  static int64_t block_rows(int64_t batch, int64_t parameter_count) {
    const bool small = parameter_count < 2048;
    const int64_t most_blocks = std::clamp<int64_t>((int64_t{1} << 24) / parameter_count, 8, 256);
    const int64_t shared = std::clamp<int64_t>(power_of_two(batch, 8), small ? 256 : 64, small ? 1024 : 512);
    return std::max(shared, power_of_two(batch, most_blocks));
  }

  // The least power of two p with p * count >= batch.
  static int64_t power_of_two(int64_t batch, int64_t count) {
    int64_t p = 1;
    while (p < (batch + count - 1) / count) p *= 2;
    return p;
  }
};

}  // namespace rs
