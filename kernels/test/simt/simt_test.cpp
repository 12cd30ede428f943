// What the SIMT layer gives a kernel is what CUDA gives it.
#include "simt.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "check.h"
#include "device/async_copy.h"
#include "device/tf32.h"

namespace {

constexpr unsigned kAll = 0xFFFFFFFF;

__global__ void write_ids(uint3* threads, uint3* blocks, unsigned* sizes) {
  const unsigned in_block = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + in_block;
  threads[i] = threadIdx;
  blocks[i] = blockIdx;
  sizes[i] = gridDim.x * 10000 + gridDim.y * 1000 + gridDim.z * 100 + warpSize;
}

void every_thread_knows_itself() {
  std::vector<uint3> threads(2 * 3 * 4 * 5 * 6 * 7), blocks(threads.size());
  std::vector<unsigned> sizes(threads.size());
  simt::launch(write_ids, dim3(5, 6, 7), dim3(2, 3, 4), 0, nullptr, threads.data(), blocks.data(), sizes.data());
  size_t i = 0;
  for (unsigned block = 0; block < 5 * 6 * 7; ++block) {
    for (unsigned thread = 0; thread < 2 * 3 * 4; ++thread, ++i) {
      CHECK(threads[i].x == thread % 2 && threads[i].y == thread / 2 % 3 && threads[i].z == thread / 6, "%zu", i);
      CHECK(blocks[i].x == block % 5 && blocks[i].y == block / 5 % 6 && blocks[i].z == block / 30, "%zu", i);
      CHECK(sizes[i] == 56732, "%u", sizes[i]);
    }
  }
}

// out[0..3][lane]: idx, up, down, xor of `by`, in segments of `width`.
template <typename T>
__global__ void shuffle_all_ways(int by, int width, T* out) {
  const unsigned lane = threadIdx.x;
  const T value = static_cast<T>(lane) * 3 + static_cast<T>(0.5);
  out[lane] = __shfl_sync(kAll, value, by, width);
  out[32 + lane] = __shfl_up_sync(kAll, value, static_cast<unsigned>(by), width);
  out[64 + lane] = __shfl_down_sync(kAll, value, static_cast<unsigned>(by), width);
  out[96 + lane] = __shfl_xor_sync(kAll, value, by, width);
}

template <typename T>
void shuffles_read_the_right_lane() {
  for (int width : {32, 16, 8, 4, 2}) {
    for (int by = 0; by < width; ++by) {
      std::vector<T> out(128);
      simt::launch(shuffle_all_ways<T>, 1, 32, 0, nullptr, by, width, out.data());
      for (int lane = 0; lane < 32; ++lane) {
        const int first = lane / width * width, inside = lane % width;
        const int source[4] = {first + by, inside >= by ? lane - by : lane, inside + by < width ? lane + by : lane,
                               lane ^ by};
        for (int way = 0; way < 4; ++way) {
          const T expected = static_cast<T>(source[way]) * 3 + static_cast<T>(0.5);
          CHECK(out[static_cast<size_t>(32 * way + lane)] == expected, "way %d, width %d, by %d, lane %d", way, width, by, lane);
        }
      }
    }
  }
}

__global__ void vote(unsigned* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __ballot_sync(kAll, lane % 3 == 0);
  out[32 + lane] = static_cast<unsigned>(__any_sync(kAll, lane == 31) * 2 + __any_sync(kAll, lane == 32));
  out[64 + lane] = static_cast<unsigned>(__all_sync(kAll, lane < 32) * 2 + __all_sync(kAll, lane < 31));
}

void votes_count_every_lane() {
  std::vector<unsigned> out(96);
  simt::launch(vote, 1, 32, 0, nullptr, out.data());
  for (size_t lane = 0; lane < 32; ++lane) {
    CHECK(out[lane] == 0x49249249, "%08x", out[lane]);
    CHECK(out[32 + lane] == 2 && out[64 + lane] == 2, "lane %zu", lane);
  }
}

// Groups of 8 lanes go their own ways, a different number of steps each; the last warp has 8 lanes only.
__global__ void sum_groups(int* out) {
  const unsigned group = threadIdx.x / 8, in_warp = group % 4, mask = 0xFFu << (8 * in_warp);
  int value = static_cast<int>(threadIdx.x);
  for (unsigned step = 0; step <= group; ++step) {
    for (int d = 4; d > 0; d /= 2) value += __shfl_xor_sync(mask, value, d);
    value /= 8;
    __syncwarp(mask);
  }
  out[threadIdx.x] = value;
}

void parts_of_a_warp_work_apart() {
  std::vector<int> out(40);
  simt::launch(sum_groups, 1, 40, 0, nullptr, out.data());
  for (int i = 0; i < 40; ++i) CHECK(out[static_cast<size_t>(i)] == i / 8 * 8 + 3, "%d: %d", i, out[static_cast<size_t>(i)]);
}

__global__ void count(int* ints, unsigned* words, unsigned long long* longs) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&ints[0], i);
  atomicMax(&ints[1], i);
  atomicMin(&ints[2], -i);
  atomicOr(&words[0], 1u << (i % 32));
  atomicAnd(&words[1], ~(1u << (i % 5)));
  atomicInc(&words[2], 6);
  if (atomicCAS(&words[3], static_cast<unsigned>(i), static_cast<unsigned>(i) + 1) == static_cast<unsigned>(i)) {
    atomicExch(&words[4], static_cast<unsigned>(i));
  }
  atomicAdd(&longs[0], 1ull << 40);
}

void atomics_miss_nothing() {
  int ints[3] = {0, -1, 1};
  unsigned words[5] = {0, ~0u, 0, 0, 0};
  unsigned long long longs[1] = {0};
  simt::launch(count, 4, 100, 0, nullptr, &ints[0], &words[0], &longs[0]);
  CHECK(ints[0] == 399 * 400 / 2 && ints[1] == 399 && ints[2] == -399, "%d %d %d", ints[0], ints[1], ints[2]);
  CHECK(words[0] == ~0u && words[1] == (~0u << 5) && words[2] == 400 % 7, "%08x %08x %u", words[0], words[1], words[2]);
  CHECK(words[3] == 400 && words[4] == 399, "%u %u", words[3], words[4]);
  CHECK(longs[0] == 400ull << 40, "%llu", longs[0]);
}

// Turns a block's values around, through shared memory that must come poisoned.
__global__ void turn_around(const int* in, int* out, int* poisoned) {
  RS_DYNAMIC_SHARED(int, shared);
  const unsigned i = threadIdx.x, first = blockIdx.x * blockDim.x;
  if (shared[i] == -1) poisoned[first + i] = 1;
  __syncthreads();
  shared[i] = in[first + i];
  __syncthreads();
  out[first + i] = shared[blockDim.x - 1 - i];
}

void barriers_show_all_writes() {
  for (const simt::Order order : {simt::Order::kForward, simt::Order::kReverse}) {
    simt::set_order(order);
    std::vector<int> in(700), out(700), poisoned(700);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
    simt::launch(turn_around, 7, 100, 400, nullptr, in.data(), out.data(), poisoned.data());
    for (int i = 0; i < 700; ++i) {
      CHECK(out[static_cast<size_t>(i)] == i / 100 * 100 + 99 - i % 100, "%d", i);
      CHECK(poisoned[static_cast<size_t>(i)] == 1, "%d", i);
    }
  }
  simt::set_order(simt::Order::kForward);
}

// Two buffers: while one is worked on, the next is on its way.
__global__ void sum_pipelined(const float* x, int steps, float* out) {
  __shared__ __align__(16) float buffers[2][4 * 32];
  const int i = static_cast<int>(threadIdx.x);
  const auto load = [&](int step) {
    if (step < steps) rs::gpu::copy_async<16>(&buffers[step % 2][4 * i], x + step * 128 + 4 * i);
    rs::gpu::commit_copies();
  };
  float sum = 0;
  load(0);
  for (int step = 0; step < steps; ++step) {
    load(step + 1);
    rs::gpu::wait_copies<1>();
    __syncthreads();
    for (int k = 0; k < 4; ++k) sum += buffers[step % 2][k * 32 + (i + 1) % 32];
    __syncthreads();
  }
  rs::gpu::wait_copies<0>();
  out[i] = sum;
}

void copies_arrive() {
  std::vector<float> x(5 * 128), out(32);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  simt::launch(sum_pipelined, 1, 32, 0, nullptr, static_cast<const float*>(x.data()), 5, out.data());
  for (size_t i = 0; i < 32; ++i) {
    float expected = 0;
    for (size_t k = 0; k < 20; ++k) expected += x[k * 32 + (i + 1) % 32];
    CHECK(out[i] == expected, "%zu: %g is not %g", i, out[i], expected);
  }
}

// d = a b + c by one warp, with a [16, 8], b [8, 8], c and d [16, 8].
__global__ void multiply(const float* a, const float* b, const float* c, float* d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const int at[4] = {g * 8 + 2 * t, g * 8 + 2 * t + 1, (g + 8) * 8 + 2 * t, (g + 8) * 8 + 2 * t + 1};
  float sums[4];
  for (int i = 0; i < 4; ++i) sums[i] = c[at[i]];
  const uint32_t left[4] = {rs::gpu::to_tf32(a[g * 8 + t]), rs::gpu::to_tf32(a[(g + 8) * 8 + t]),
                            rs::gpu::to_tf32(a[g * 8 + t + 4]), rs::gpu::to_tf32(a[(g + 8) * 8 + t + 4])};
  const uint32_t right[2] = {rs::gpu::to_tf32(b[t * 8 + g]), rs::gpu::to_tf32(b[(t + 4) * 8 + g])};
  rs::gpu::mma_tf32(sums, left, right);
  for (int i = 0; i < 4; ++i) d[at[i]] = sums[i];
}

void tensor_cores_multiply() {
  std::vector<float> a(128), b(64), c(128), d(128);
  for (size_t i = 0; i < 128; ++i) a[i] = static_cast<float>(i % 37) - 18, c[i] = static_cast<float>(i % 11);
  for (size_t i = 0; i < 64; ++i) b[i] = static_cast<float>(i % 23) - 11;
  simt::launch(multiply, 1, 32, 0, nullptr, static_cast<const float*>(a.data()), static_cast<const float*>(b.data()),
               static_cast<const float*>(c.data()), d.data());
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 8; ++column) {
      float expected = c[row * 8 + column];
      for (size_t k = 0; k < 8; ++k) expected += a[row * 8 + k] * b[k * 8 + column];
      CHECK(d[row * 8 + column] == expected, "%zu, %zu: %g is not %g", row, column, d[row * 8 + column], expected);
    }
  }
}

void tf32_rounds_to_even() {
  const auto rounded = [](float x) { return __uint_as_float(rs::gpu::to_tf32(x)); };
  CHECK(rounded(1 + 0x1p-10f) == 1 + 0x1p-10f, "10 bits stay");
  CHECK(rounded(1 + 0x1p-11f) == 1, "a tie goes to even");
  CHECK(rounded(1 + 0x1p-10f + 0x1p-11f) == 1 + 0x1p-9f, "a tie goes to even");
  CHECK(rounded(-1 - 0x1p-11f - 0x1p-23f) == -1 - 0x1p-10f, "more than a tie");
  CHECK(std::isinf(rounded(INFINITY)) && std::isnan(rounded(__uint_as_float(0x7F800001))) &&
            std::isnan(rounded(__uint_as_float(0xFFFFFFFF))), "what is not finite stays so");
}

__global__ void nothing() {}

void launches_are_checked() {
  const auto refused = [](dim3 grid, dim3 block, size_t shared) {
    try {
      simt::launch(nothing, grid, block, shared, nullptr);
      return false;
    } catch (const simt::Error&) {
      return true;
    }
  };
  CHECK(!refused(1, 1024, 48 << 10), "the most that is allowed");
  CHECK(refused(0, 32, 0) && refused(1, 0, 0), "an empty launch");
  CHECK(refused(1, 1025, 0) && refused(1, dim3(32, 33), 0), "too many threads");
  CHECK(refused(dim3(1, 65536), 1, 0), "too large a grid");
  CHECK(refused(1, 32, (48 << 10) + 1), "shared memory not asked for");
  cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10);
  CHECK(!refused(1, 32, 100 << 10), "shared memory asked for");
}

}  // namespace

int main() {
  every_thread_knows_itself();
  shuffles_read_the_right_lane<int>();
  shuffles_read_the_right_lane<float>();
  shuffles_read_the_right_lane<double>();
  votes_count_every_lane();
  parts_of_a_warp_work_apart();
  atomics_miss_nothing();
  barriers_show_all_writes();
  copies_arrive();
  tensor_cores_multiply();
  tf32_rounds_to_even();
  launches_are_checked();
  return 0;
}
