// All-reduce by messages between pairs of ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "collective/element.h"

namespace rs::collective {

// Messages between this rank and its peers.
class Link {
 public:
  static constexpr int kNobody = -1;

  virtual ~Link() = default;

  // Sends to one peer while it receives from another; either may be kNobody. The peers make the matching calls.
  virtual void exchange(int to, const void* out, int64_t out_bytes, int from, void* in, int64_t in_bytes) = 0;
};

// Whether the two ranks exchange messages in an all-reduce.
bool are_peers(int a, int b, int size);

// All ranks get the same bits: every sum is either made once, or by both sides as a + b and b + a.
// `scratch` is memory to reuse from call to call.
void reduce_by_messages(Link& link, int rank, int size, void* values, int64_t count, Element element,
                        std::vector<char>& scratch);

}  // namespace rs::collective
