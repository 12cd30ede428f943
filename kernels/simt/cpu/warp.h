// Shuffles and votes. As on the hardware they order no memory: only __syncwarp does, and a kernel that
// relies on a shuffle for it is reported by ThreadSanitizer.
#pragma once

#include <cstdint>
#include <cstring>

#include "thread.h"

namespace simt {

// Gives `value` to the lanes of `mask` and returns lane `source`'s; ends the launch where that lane takes
// no part, since the hardware then returns just anything.
uint64_t exchange(unsigned mask, uint64_t value, unsigned source, Where where);

// The lanes of `mask` whose `predicate` is true.
unsigned vote(unsigned mask, bool predicate, Where where);

// all[i] = lane i's value, by all lanes of a warp.
void gather(uint32_t value, uint32_t (&all)[kWarp], Where where);

template <typename T>
T shuffle(unsigned mask, T value, unsigned source, Where where) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "as in CUDA");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// A warp is cut into segments of `width` lanes; a lane that would read past its own reads itself.
inline unsigned segment(int width) { return lane() & ~static_cast<unsigned>(width - 1); }

}  // namespace simt

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SIMT_WHERE) {
  return simt::shuffle(mask, value, simt::segment(width) + static_cast<unsigned>(source & (width - 1)), {file, line});
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SIMT_WHERE) {
  const unsigned lane = simt::lane();
  const bool inside = lane >= simt::segment(width) + delta;
  return simt::shuffle(mask, value, inside ? lane - delta : lane, {file, line});
}

template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SIMT_WHERE) {
  const unsigned lane = simt::lane();
  const bool inside = lane + delta < simt::segment(width) + static_cast<unsigned>(width);
  return simt::shuffle(mask, value, inside ? lane + delta : lane, {file, line});
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, SIMT_WHERE) {
  const unsigned lane = simt::lane(), source = lane ^ static_cast<unsigned>(bits);
  const bool inside = source < simt::segment(width) + static_cast<unsigned>(width);
  return simt::shuffle(mask, value, inside ? source : lane, {file, line});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return simt::vote(mask, predicate != 0, {file, line});
}

inline int __any_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return simt::vote(mask, predicate != 0, {file, line}) != 0;
}

inline int __all_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return simt::vote(mask, predicate == 0, {file, line}) == 0;
}
