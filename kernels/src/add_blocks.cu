// Sums of block gradients, exact, so that they do not depend on who computed which block.
#include "add_blocks.h"

#include "device/exact_digits.h"
#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kColumns = 32;      // parameters of a block of threads
constexpr int kMostStripes = 32;  // its threads that share out the blocks of one parameter

typedef unsigned long long Word;  // what CUDA's atomics call 64 bits

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

// Each thread adds up every stripes-th block of its parameter, neighbours are added pairwise, and the thread of
// the first stripe gives the result. Where the double is not exact, all blocks of that parameter are added
// again in digits.
//   kToDigits: the result is added to digits, else it is rounded into gradient
template <bool kToDigits>
__global__ void __launch_bounds__(kColumns * kMostStripes, 1)
    add_blocks_kernel(const float* __restrict__ block_gradients,  // [blocks][length]
                      int64_t blocks, int64_t length,
                      float* __restrict__ gradient,               // [length]
                      int64_t* __restrict__ digits) {             // [kDigits][length]
  __shared__ double totals[kMostStripes][kColumns];
  __shared__ bool exact[kMostStripes][kColumns];
  __shared__ Word column_digits[kDigits][kColumns];
  __shared__ int inexact_columns;
  const int column = static_cast<int>(threadIdx.x), stripe = static_cast<int>(threadIdx.y);
  const int stripes = static_cast<int>(blockDim.y);
  const int64_t i = int64_t{blockIdx.x} * kColumns + column;
  const bool inside = i < length;

  CheckedSum sum = {0, true};
  if (inside) {
#pragma unroll 4
    for (int64_t b = stripe; b < blocks; b += stripes) sum.add(block_gradients[b * length + i]);
  }
  totals[stripe][column] = sum.total;
  exact[stripe][column] = sum.exact;
  if (stripe == 0 && column == 0) inexact_columns = 0;
  for (int half = stripes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (stripe >= half) continue;
    sum.add(totals[stripe + half][column]);
    sum.exact = sum.exact && exact[stripe + half][column];
    totals[stripe][column] = sum.total;
    exact[stripe][column] = sum.exact;
  }
  if (stripe == 0 && !sum.exact) atomicAdd(&inexact_columns, 1);
  __syncthreads();

  if (inexact_columns > 0) {
    for (int d = stripe; d < kDigits; d += stripes) column_digits[d][column] = 0;
    __syncthreads();
    if (inside && !exact[0][column]) {
      const auto add = [&](int d, int64_t amount) { atomicAdd(&column_digits[d][column], static_cast<Word>(amount)); };
      for (int64_t b = stripe; b < blocks; b += stripes) add_to_digits(block_gradients[b * length + i], add);
    }
    __syncthreads();
  }

  if (stripe > 0 || !inside) return;
  if (kToDigits) {
    if (sum.exact) {
      add_to_digits(sum.total, [&](int d, int64_t amount) { digits[d * length + i] += amount; });
    } else {
      for (int d = 0; d < kDigits; ++d) digits[d * length + i] += static_cast<int64_t>(column_digits[d][column]);
    }
  } else {
    gradient[i] = sum.exact ? static_cast<float>(sum.total)
                            : round_digits([&](int d) { return static_cast<int64_t>(column_digits[d][column]); });
  }
}

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    digits_to_gradient_kernel(const int64_t* __restrict__ digits,  // [kDigits][length]
                              int64_t length,
                              float* __restrict__ gradient) {      // [length]
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < length) gradient[i] = round_digits([&](int d) { return digits[d * length + i]; });
}

template <bool kToDigits>
void launch(const float* block_gradients, int64_t blocks, int64_t length, float* gradient, int64_t* digits,
            cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((length + kColumns - 1) / kColumns));
  const dim3 block(kColumns, blocks < 64 ? 8 : kMostStripes);
  simt::launch(add_blocks_kernel<kToDigits>, grid, block, 0, stream, block_gradients, blocks, length, gradient, digits);
}

}  // namespace

void add_blocks(const float* block_gradients, int64_t blocks, int64_t length, float* gradient, cudaStream_t stream) {
  launch<false>(block_gradients, blocks, length, gradient, nullptr, stream);
}

void add_blocks_to_digits(const float* block_gradients, int64_t blocks, int64_t length, int64_t* digits,
                          cudaStream_t stream) {
  launch<true>(block_gradients, blocks, length, nullptr, digits, stream);
}

void digits_to_gradient(const int64_t* digits, int64_t length, float* gradient, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((length + kThreads - 1) / kThreads));
  simt::launch(digits_to_gradient_kernel, grid, dim3(kThreads), 0, stream, digits, length, gradient);
}

}  // namespace rs::gpu
