// Atomics of integers. There are none of floats here, so that no kernel of ours can have one: the order
// of their additions would change from run to run.
#pragma once

namespace simt {

// Applies `change` to *address and returns what was there.
template <typename T, typename Change>
T read_modify_write(T* address, Change change) {
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (true) {
    T changed = change(old);
    if (__atomic_compare_exchange_n(address, &old, changed, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return old;
  }
}

}  // namespace simt

#define SIMT_ATOMICS(T)                                                                                              \
  inline T atomicAdd(T* address, T value) {                                                                          \
    return simt::read_modify_write(address, [=](T old) { return static_cast<T>(old + value); });                     \
  }                                                                                                                  \
  inline T atomicMin(T* address, T value) {                                                                          \
    return simt::read_modify_write(address, [=](T old) { return old < value ? old : value; });                       \
  }                                                                                                                  \
  inline T atomicMax(T* address, T value) {                                                                          \
    return simt::read_modify_write(address, [=](T old) { return old > value ? old : value; });                       \
  }                                                                                                                  \
  inline T atomicAnd(T* address, T value) {                                                                          \
    return simt::read_modify_write(address, [=](T old) { return old & value; });                                     \
  }                                                                                                                  \
  inline T atomicOr(T* address, T value) {                                                                           \
    return simt::read_modify_write(address, [=](T old) { return old | value; });                                     \
  }                                                                                                                  \
  inline T atomicExch(T* address, T value) {                                                                         \
    return simt::read_modify_write(address, [=](T) { return value; });                                               \
  }                                                                                                                  \
  inline T atomicCAS(T* address, T expected, T value) {                                                              \
    return simt::read_modify_write(address, [=](T old) { return old == expected ? value : old; });                   \
  }

SIMT_ATOMICS(int)
SIMT_ATOMICS(unsigned)
SIMT_ATOMICS(unsigned long long)
#undef SIMT_ATOMICS

inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return simt::read_modify_write(address, [=](unsigned old) { return old >= limit ? 0 : old + 1; });
}
