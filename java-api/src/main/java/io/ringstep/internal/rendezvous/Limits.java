package io.ringstep.internal.rendezvous;

import java.time.Duration;

/** The ranges of a job's settings. */
final class Limits {
  /** More ranks than any small network can use. */
  private static final int MOST_RANKS = 65_536;

  private static final Duration SHORTEST = Duration.ofSeconds(1);
  private static final Duration LONGEST = Duration.ofDays(7);

  private Limits() {}

  static void requireWorldSize(int worldSize) {
    if (worldSize < 1 || worldSize > MOST_RANKS) {
      throw new IllegalArgumentException("the world size must be from 1 to " + MOST_RANKS + ", but is " + worldSize);
    }
  }

  static void requireRank(int rank, int worldSize) {
    requireWorldSize(worldSize);
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException(
          "rank " + rank + " must be from 0 to " + (worldSize - 1) + ", as the world size is " + worldSize);
    }
  }

  static void requireDeadline(Duration deadline) {
    if (deadline.compareTo(SHORTEST) < 0 || deadline.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException(
          "the deadline must be from 1 s to 7 days, but is " + Text.seconds(deadline));
    }
  }
}
