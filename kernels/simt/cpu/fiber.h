// A stack of its own, to run a function that can be suspended.
//
// Sanitizers are told of every switch. To ThreadSanitizer each fiber is a thread, and a switch orders no
// memory: that is what lets it find a missing barrier. So fibers and the scheduler are compiled without
// -fsanitize=thread (with SIMT_TSAN defined), lest their own memory be watched.
#pragma once

#include <cstddef>

#ifdef SIMT_UCONTEXT
#include <ucontext.h>
#endif

namespace simt {

class Fiber {
 public:
  explicit Fiber(void (*body)(void*), void* argument);
  ~Fiber();  // drops the stack as it is: destructors of what is on it do not run
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();   // on the caller's stack; comes back once the fiber suspends
  void suspend();  // on the fiber's stack

  // release(object) of ordering.h for all that the fiber did, on the caller's stack: for one that will not go on.
  void release_all(void* object);

 private:
#ifdef SIMT_UCONTEXT
  static void enter(unsigned high, unsigned low);
  ucontext_t fiber_, caller_;
#else
  void* fiber_;
  void* caller_ = nullptr;
#endif
  void run();

  void (*body_)(void*);
  void* argument_;
  char* stack_;

  // AddressSanitizer's
  void* fiber_fake_stack_ = nullptr;
  void* caller_fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_bytes_ = 0;
  // ThreadSanitizer's
  void* tsan_fiber_ = nullptr;
  void* tsan_caller_ = nullptr;

  friend struct FiberEntry;
};

}  // namespace simt
