// Tells ThreadSanitizer what orders memory.
#pragma once

#ifdef SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifdef SIMT_TSAN
extern "C" {
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace simt {

// All that a thread did before release(object) is seen by one that has called acquire(object) after it.
inline void release([[maybe_unused]] void* object) {
#ifdef SIMT_TSAN
  __tsan_release(object);
#endif
}

inline void acquire([[maybe_unused]] void* object) {
#ifdef SIMT_TSAN
  __tsan_acquire(object);
#endif
}

// While there is one, what a thread of a kernel takes from the heap and gives back is not watched: the
// scheduler's own data, which fibers share without a race.
class Unwatched {
 public:
#ifdef SIMT_TSAN
  Unwatched() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
  ~Unwatched() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
#else
  Unwatched() {}
#endif
};

}  // namespace simt
