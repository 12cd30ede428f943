// Why a job of several ranks cannot go on, and which rank is to blame.
#pragma once

#include <stdexcept>
#include <string>

namespace rs::collective {

class Failure : public std::runtime_error {
 public:
  enum Kind {
    kTimeout,   // a rank did not arrive within the deadline
    kRankLost,  // a rank died, left or lost its connection
    kMismatch,  // a rank does something else than the others
    kAborted,   // somebody called abort
    kBackend    // the library underneath failed
  };

  static constexpr int kNoRank = -1;

  Failure(Kind kind, int rank, const std::string& message) : std::runtime_error(message), kind(kind), rank(rank) {}

  Kind kind;
  int rank;  // who is to blame, or kNoRank
};

}  // namespace rs::collective
