#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#ifndef SIMT_UCONTEXT
// Boost.Context's public fiber unwinds an unfinished stack with an exception, which AddressSanitizer cannot
// follow; the layer below it does not.
#include <boost/context/detail/fcontext.hpp>
#endif
#ifdef SIMT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace simt {

namespace {

constexpr size_t kStackBytes = 256 << 10;  // taken from the system page by page, as they are used

// With a page at the lower end that may not be touched, so that an overflow is caught.
char* new_stack() {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, static_cast<size_t>(getpagesize()), PROT_NONE);
  return static_cast<char*>(memory);
}

}  // namespace

#ifdef SIMT_UCONTEXT

// makecontext passes ints only.
void Fiber::enter(unsigned high, unsigned low) {
  reinterpret_cast<Fiber*>(static_cast<uintptr_t>(uint64_t{high} << 32 | low))->run();
}

#else

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

struct FiberEntry {
  static void enter(transfer_t from) {
    Fiber* fiber = static_cast<Fiber*>(from.data);
    fiber->caller_ = from.fctx;
    fiber->run();
  }
};

#endif

Fiber::Fiber(void (*body)(void*), void* argument) : body_(body), argument_(argument), stack_(new_stack()) {
#ifdef SIMT_TSAN
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
#ifdef SIMT_UCONTEXT
  getcontext(&fiber_);
  fiber_.uc_stack.ss_sp = stack_;
  fiber_.uc_stack.ss_size = kStackBytes;
  fiber_.uc_link = nullptr;
  const uint64_t self = reinterpret_cast<uintptr_t>(this);
  makecontext(&fiber_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
#else
  fiber_ = make_fcontext(stack_ + kStackBytes, kStackBytes, &FiberEntry::enter);
#endif
}

Fiber::~Fiber() {
#ifdef SIMT_TSAN
  __tsan_destroy_fiber(tsan_fiber_);
#endif
  munmap(stack_, kStackBytes);
}

void Fiber::run() {
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &caller_stack_, &caller_stack_bytes_);
#endif
  body_(argument_);
  while (true) suspend();
}

void Fiber::resume() {
#ifdef SIMT_TSAN
  tsan_caller_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(&caller_fake_stack_, stack_, kStackBytes);
#endif
#ifdef SIMT_UCONTEXT
  swapcontext(&caller_, &fiber_);
#else
  fiber_ = jump_fcontext(fiber_, this).fctx;
#endif
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(caller_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::release_all([[maybe_unused]] void* object) {
#ifdef SIMT_TSAN
  void* caller = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_fiber_, __tsan_switch_to_fiber_no_sync);
  __tsan_release(object);
  __tsan_switch_to_fiber(caller, __tsan_switch_to_fiber_no_sync);
#endif
}

void Fiber::suspend() {
#ifdef SIMT_TSAN
  __tsan_switch_to_fiber(tsan_caller_, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(&fiber_fake_stack_, caller_stack_, caller_stack_bytes_);
#endif
#ifdef SIMT_UCONTEXT
  swapcontext(&fiber_, &caller_);
#else
  caller_ = jump_fcontext(caller_, this).fctx;
#endif
#ifdef SIMT_ASAN
  __sanitizer_finish_switch_fiber(fiber_fake_stack_, &caller_stack_, &caller_stack_bytes_);
#endif
}

}  // namespace simt
