#include "collective/all_reduce.h"

#include <algorithm>
#include <cstdlib>

namespace rs::collective {
namespace {

// Up to here the number of messages counts, beyond it the number of bytes.
constexpr int64_t kSmallBytes = 32 << 10;

// What one rank sends at a time in the ring: the cache holds it until it has been added.
constexpr int64_t kPieceBytes = 256 << 10;

int power_of_two_in(int size) {
  int p = 1;
  while (2 * p <= size) p *= 2;
  return p;
}

char* room(std::vector<char>& scratch, int64_t bytes) {
  if (static_cast<int64_t>(scratch.size()) < bytes) scratch.resize(static_cast<size_t>(bytes));
  return scratch.data();
}

// Recursive doubling: log2(size) rounds in which pairs exchange all they have. Ranks beyond a power of two hand
// their values to a partner first, and get the sum at the end.
void double_up(Link& link, int rank, int size, void* values, int64_t count, Element element, char* scratch) {
  const int64_t bytes = count * size_of(element);
  const int p = power_of_two_in(size);
  if (rank >= p) {
    link.exchange(rank - p, values, bytes, Link::kNobody, nullptr, 0);
    link.exchange(Link::kNobody, nullptr, 0, rank - p, values, bytes);
    return;
  }
  const bool has_partner = rank + p < size;
  if (has_partner) {
    link.exchange(Link::kNobody, nullptr, 0, rank + p, scratch, bytes);
    add(values, scratch, count, element);
  }
  for (int bit = 1; bit < p; bit *= 2) {
    link.exchange(rank ^ bit, values, bytes, rank ^ bit, scratch, bytes);
    add(values, scratch, count, element);
  }
  if (has_partner) link.exchange(rank + p, values, bytes, Link::kNobody, nullptr, 0);
}

// Ring: each rank passes parts to the next, first adding its own to what it gets until it holds the sum of one
// part, then passing the sums on. 2 (size - 1) / size of the bytes go through every rank, whatever the size.
void ring(Link& link, int rank, int size, char* values, int64_t count, Element element, char* scratch) {
  const int64_t width = size_of(element);
  const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
  const auto first = [&](int part) { return count * part / size; };
  const auto length = [&](int part) { return first(part + 1) - first(part); };
  const auto pass = [&](int sent, int received, char* in) {
    link.exchange(next, values + first(sent) * width, length(sent) * width, previous, in, length(received) * width);
  };
  for (int step = 0; step < size - 1; ++step) {
    const int sent = (rank - step + size) % size, received = (sent + size - 1) % size;
    pass(sent, received, scratch);
    add(values + first(received) * width, scratch, length(received), element);
  }
  for (int step = 0; step < size - 1; ++step) {
    const int sent = (rank + 1 - step + size) % size, received = (sent + size - 1) % size;
    pass(sent, received, values + first(received) * width);
  }
}

}  // namespace

bool are_peers(int a, int b, int size) {
  const int p = power_of_two_in(size), low = std::min(a, b), high = std::max(a, b);
  const bool ring = high - low == 1 || high - low == size - 1;
  const bool pair = high < p && power_of_two_in(low ^ high) == (low ^ high);
  return a != b && (ring || pair || high - low == p);
}

void reduce_by_messages(Link& link, int rank, int size, void* values, int64_t count, Element element,
                        std::vector<char>& scratch) {
  const int64_t width = size_of(element);
  if (count * width <= kSmallBytes || count < size) {
    return double_up(link, rank, size, values, count, element, room(scratch, count * width));
  }
  const int64_t piece = kPieceBytes / width * size;
  char* in = room(scratch, std::min(piece, count) / size * width + width);
  for (int64_t done = 0; done < count; done += piece) {
    ring(link, rank, size, static_cast<char*>(values) + done * width, std::min(piece, count - done), element, in);
  }
}

}  // namespace rs::collective
