// Sums of block gradients, exact, so that they do not depend on who computed which block.
//
// A block of threads is kColumns wide, a parameter each, and as many stripes high, up to kMostStripes, as share
// out the blocks of rows. Each thread adds up every stripes-th block of its parameter, neighbours are added
// pairwise, and the thread of the first stripe has the result. Where a double does not hold the exact sum, all
// blocks of that parameter are added again in digits.
#pragma once

#include "device/exact_digits.h"
#include "simt.h"

namespace rs::gpu {

constexpr int kColumns = 32;
constexpr int kMostStripes = 32;

// A sum in double, and whether no addition has been rounded: Knuth's TwoSum finds the error of each. Block sums
// of one parameter seldom spread over more than double's 53 bits: then every error is 0 and the double is the
// exact sum.
struct CheckedSum {
  double total;
  bool exact;

  __device__ void add(double value) {
    const double next = total + value;
    const double added = next - total;
    const double error = (total - (next - added)) + (value - added);
    exact = exact && error == 0;  // false of NaN too
    total = next;
  }
};

struct BlockSum {
  typedef unsigned long long Word;  // what CUDA's atomics call 64 bits

  struct Shared {
    double totals[kMostStripes][kColumns];
    bool exact[kMostStripes][kColumns];
    Word digits[kDigits][kColumns];
    int inexact_columns;
  };

  // By all threads of the block; `first` is the thread's parameter in the first of the `blocks`, which lie `length`
  // floats apart, or null where it has none. The result is that of the first stripe.
  __device__ BlockSum(Shared& shared, const float* first, int64_t blocks, int64_t length) : shared_(shared) {
    const int column = static_cast<int>(threadIdx.x), stripe = static_cast<int>(threadIdx.y);
    const int stripes = static_cast<int>(blockDim.y);
    sum_ = {0, true};
    if (first) {
#pragma unroll 4
      for (int64_t b = stripe; b < blocks; b += stripes) sum_.add(first[b * length]);
    }
    shared.totals[stripe][column] = sum_.total;
    shared.exact[stripe][column] = sum_.exact;
    if (stripe == 0 && column == 0) shared.inexact_columns = 0;
    for (int half = stripes / 2; half > 0; half /= 2) {
      __syncthreads();
      if (stripe >= half) continue;
      sum_.add(shared.totals[stripe + half][column]);
      sum_.exact = sum_.exact && shared.exact[stripe + half][column];
      shared.totals[stripe][column] = sum_.total;
      shared.exact[stripe][column] = sum_.exact;
    }
    if (stripe == 0 && !sum_.exact) atomicAdd(&shared.inexact_columns, 1);
    __syncthreads();
    if (shared.inexact_columns == 0) return;

    for (int d = stripe; d < kDigits; d += stripes) shared.digits[d][column] = 0;
    __syncthreads();
    if (first && !shared.exact[0][column]) {
      const auto add = [&](int d, int64_t amount) { atomicAdd(&shared.digits[d][column], static_cast<Word>(amount)); };
      for (int64_t b = stripe; b < blocks; b += stripes) add_to_digits(first[b * length], add);
    }
    __syncthreads();
  }

  // Rounded once.
  __device__ float rounded() const {
    return sum_.exact ? static_cast<float>(sum_.total) : round_digits([&](int d) { return digit(d); });
  }

  // Adds the sum by calling add(digit, amount).
  template <typename Add>
  __device__ void add_digits(Add add) const {
    if (sum_.exact) {
      add_to_digits(sum_.total, add);
    } else {
      for (int d = 0; d < kDigits; ++d) add(d, digit(d));
    }
  }

 private:
  __device__ int64_t digit(int d) const { return static_cast<int64_t>(shared_.digits[d][threadIdx.x]); }

  Shared& shared_;
  CheckedSum sum_;
};

// Threads of a block: the more blocks of rows, the more stripes.
inline dim3 block_sum_threads(int64_t blocks) { return dim3(kColumns, blocks < 64 ? 8 : kMostStripes); }

}  // namespace rs::gpu
