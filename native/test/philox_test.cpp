// Philox4x32-10 gives the known answers of its authors' own library (Random123, kat_vectors).
#include "philox.h"

#include "check.h"

namespace {

void expect(uint64_t seed, uint64_t stream, uint64_t counter, const rs::PhiloxWords& expected) {
  const rs::PhiloxWords words = rs::philox(seed, stream, counter);
  for (size_t i = 0; i < 4; ++i) {
    CHECK(words[i] == expected[i], "word %zu is %08x, not %08x", i, words[i], expected[i]);
  }
}

}  // namespace

int main() {
  expect(0, 0, 0, {{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}});
  expect(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, {{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}});
  expect(0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88, {{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}});
  return 0;
}
