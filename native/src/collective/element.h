// What can be summed across ranks.
#pragma once

#include <cstdint>

namespace rs::collective {

enum class Element { kFloat32, kFloat64, kInt64 };

inline int64_t size_of(Element element) { return element == Element::kFloat32 ? 4 : 8; }

namespace detail {

template <typename T>
void add(void* sum, const void* values, int64_t count) {
  T* __restrict__ own = static_cast<T*>(sum);
  const T* __restrict__ other = static_cast<const T*>(values);
  for (int64_t i = 0; i < count; ++i) own[i] = own[i] + other[i];
}

}  // namespace detail

// sum[i] += values[i]. Integers must not overflow.
inline void add(void* sum, const void* values, int64_t count, Element element) {
  switch (element) {
    case Element::kFloat32: return detail::add<float>(sum, values, count);
    case Element::kFloat64: return detail::add<double>(sum, values, count);
    case Element::kInt64: return detail::add<int64_t>(sum, values, count);
  }
}

}  // namespace rs::collective
