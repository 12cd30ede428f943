// Memory on its way into the cache, for who knows what is needed next where the processor cannot.
#pragma once

#include <cstdint>

namespace rs {

// The lines from `from` on, which may be null; of very many the first, since the processor goes on by itself.
inline void prefetch(const void* from, int64_t bytes) {
  constexpr int64_t kLine = 64, kMost = 64 * kLine;
  if (!from) return;
  const char* line = static_cast<const char*>(from);
  const char* const end = line + (bytes < kMost ? bytes : kMost);
  for (line -= reinterpret_cast<uintptr_t>(line) % kLine; line < end; line += kLine) __builtin_prefetch(line);
}

}  // namespace rs
