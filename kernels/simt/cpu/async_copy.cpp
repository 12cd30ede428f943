#include "async_copy.h"

#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "ordering.h"

namespace simt {

namespace {

struct Copy {
  void* shared;
  const void* global;
  unsigned bytes;
};

struct Copies {
  std::vector<Copy> uncommitted;
  std::deque<std::vector<Copy>> groups;
};

std::map<const Thread*, Copies> of_threads;

}  // namespace

void copy_async(void* shared, const void* global, unsigned bytes) {
  std::memset(shared, 0xFF, bytes);
  Unwatched unwatched;
  of_threads[current].uncommitted.push_back({shared, global, bytes});
}

void commit_copies() {
  Unwatched unwatched;
  Copies& own = of_threads[current];
  own.groups.emplace_back();
  own.groups.back().swap(own.uncommitted);
}

void wait_copies(unsigned open) {
  const auto found = of_threads.find(current);
  if (found == of_threads.end()) return;
  auto& groups = found->second.groups;
  while (groups.size() > open) {
    for (const Copy& copy : groups.front()) std::memcpy(copy.shared, copy.global, copy.bytes);
    Unwatched unwatched;
    groups.pop_front();
  }
}

void forget_copies() { of_threads.clear(); }

bool has_open_copies(const Thread* thread) {
  const auto found = of_threads.find(thread);
  if (found == of_threads.end()) return false;
  for (const auto& group : found->second.groups) {
    if (!group.empty()) return true;
  }
  return !found->second.uncommitted.empty();
}

}  // namespace simt
