// The order of the rows in a shuffled epoch.
#include "shuffle.h"

#include <cmath>
#include <cstdio>
#include <vector>

#include "check.h"
#include "instruction_sets.h"
#include "ringstep.h"

namespace {

std::vector<int64_t> order(uint64_t seed, int64_t epoch, int64_t rows) {
  std::vector<int64_t> order(static_cast<size_t>(rows), -1);
  CHECK(rs_shuffle_order(seed, epoch, rows, order.data()) == RS_OK, "%s", rs_last_error());
  return order;
}

void visits_every_row_once() {
  for (int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100, 1000, 4096, 4097, 65535, 65536, 65537}) {
    for (uint64_t seed : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
      std::vector<int> visits(static_cast<size_t>(rows));
      for (int64_t row : order(seed, 3, rows)) {
        CHECK(row >= 0 && row < rows, "row %lld of %lld", static_cast<long long>(row), static_cast<long long>(rows));
        CHECK(visits[static_cast<size_t>(row)]++ == 0, "row %lld twice", static_cast<long long>(row));
      }
    }
  }
}

// Never changes: a run can be repeated with any later version.
void has_a_known_order() {
  const std::vector<int64_t> expected = {8, 3, 0, 9, 4, 6, 5, 7, 2, 1};
  CHECK(order(42, 7, 10) == expected, "the order is another than it was");
}

void differs_by_seed_and_epoch() {
  const std::vector<int64_t> one = order(1, 0, 1000);
  CHECK(one == order(1, 0, 1000), "the same seed and epoch");
  CHECK(one != order(2, 0, 1000), "another seed");
  CHECK(one != order(uint64_t{1} << 32 | 1, 0, 1000), "a seed with another upper half");
  CHECK(one != order(1, 1, 1000), "another epoch");
  CHECK(one != order(1, int64_t{1} << 32, 1000), "an epoch with another upper half");
}

void gives_any_position_without_the_others() {
  const std::vector<int64_t> all = order(9, 4, 1000);
  const rs::Shuffle shuffle(9, 4, 1000);
  for (int64_t first = 0; first < 1000; first += 37) {
    int64_t index[5];
    const int count = first + 5 <= 1000 ? 5 : static_cast<int>(1000 - first);
    for (int i = 0; i < count; ++i) index[i] = first + i;
    shuffle.map(index, count);
    for (int i = 0; i < count; ++i) {
      CHECK(index[i] == all[static_cast<size_t>(first + i)], "position %d", static_cast<int>(first + i));
    }
  }
}

// More rows than any memory has: positions next to each other still go to different rows.
void takes_many_rows() {
  const int64_t rows = (int64_t{1} << 40) + 12345;
  const rs::Shuffle shuffle(3, 0, rows);
  int64_t index[256];
  for (int i = 0; i < 256; ++i) index[i] = rows - 256 + i;
  shuffle.map(index, 256);
  for (int i = 0; i < 256; ++i) {
    CHECK(index[i] >= 0 && index[i] < rows, "row %lld", static_cast<long long>(index[i]));
    for (int k = 0; k < i; ++k) CHECK(index[i] != index[k], "positions %d and %d", i, k);
  }
}

// What the kernels look up many at a time is what Shuffle::at says.
void is_the_same_in_the_kernels() {
  const int64_t limit = int64_t{1} << 32;
  for (const rs::cpu::Kernels* kernels : test::instruction_sets()) {
    for (int64_t rows : {int64_t{1}, int64_t{2}, int64_t{9}, int64_t{50}, int64_t{442}, int64_t{4097}, limit / 2 + 5, limit, limit + 5}) {
      const rs::Shuffle shuffle(17, 3, rows);
      for (int count : {1, 3, 4, 15, 16, 17, 63, 64, 65, 256}) {
        if (count > rows) continue;
        for (int64_t first : {int64_t{0}, (rows - count) / 2, rows - count}) {
          const int64_t base = first / 2;
          int64_t index[256];
          kernels->find_rows({nullptr, nullptr, base, &shuffle}, first - base, count, index);
          for (int i = 0; i < count; ++i) {
            CHECK(index[i] == shuffle.at(first + i), "position %lld of %lld", static_cast<long long>(first + i),
                  static_cast<long long>(rows));
          }
        }
      }
    }
  }
}

// How far counts that should all be `expected` are from that, in standard deviations of chi-square.
double deviation(const std::vector<int>& counts, double expected, double freedom) {
  double chi_square = 0;
  for (int count : counts) chi_square += (count - expected) * (count - expected) / expected;
  return (chi_square - freedom) / std::sqrt(2 * freedom);
}

// Over many epochs every row comes equally often at every position, and after every other row.
void is_roughly_uniform() {
  constexpr int kRows = 50, kEpochs = 20000;
  std::vector<int> positions(kRows * kRows), successors(kRows * kRows);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<int64_t> rows = order(11, epoch, kRows);
    for (size_t i = 0; i < kRows; ++i) ++positions[i * kRows + static_cast<size_t>(rows[i])];
    for (size_t i = 1; i < kRows; ++i) ++successors[static_cast<size_t>(rows[i - 1] * kRows + rows[i])];
  }
  const double by_position = deviation(positions, double{kEpochs} / kRows, (kRows - 1) * (kRows - 1));
  std::vector<int> others;  // no row follows itself
  for (size_t i = 0; i < successors.size(); ++i) {
    if (i / kRows != i % kRows) others.push_back(successors[i]);
  }
  const double by_successor = deviation(others, double{kEpochs} / kRows, kRows * (kRows - 1) - 1);
  std::printf("chi-square: positions %+.2f, successors %+.2f standard deviations\n", by_position, by_successor);
  CHECK(std::fabs(by_position) < 5, "positions are not uniform: %g", by_position);
  CHECK(std::fabs(by_successor) < 5, "successors are not uniform: %g", by_successor);
}

void checks_its_arguments() {
  int64_t row = 0;
  CHECK(rs_shuffle_order(1, 0, 0, &row) == RS_INVALID_ARGUMENT, "no rows");
  CHECK(rs_shuffle_order(1, 0, -1, &row) == RS_INVALID_ARGUMENT, "fewer than no rows");
  CHECK(rs_shuffle_order(1, -1, 1, &row) == RS_INVALID_ARGUMENT, "a negative epoch");
  CHECK(rs_shuffle_order(1, 0, 1, nullptr) == RS_INVALID_ARGUMENT, "nowhere to write");
}

}  // namespace

int main() {
  visits_every_row_once();
  has_a_known_order();
  differs_by_seed_and_epoch();
  gives_any_position_without_the_others();
  takes_many_rows();
  is_the_same_in_the_kernels();
  is_roughly_uniform();
  checks_its_arguments();
  return 0;
}
