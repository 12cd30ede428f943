package io.ringstep.cli;

import io.ringstep.Communicator;
import java.util.function.BooleanSupplier;

/**
 * Ranks that train models of their own meet every few milliseconds, so that all stop where one is interrupted, and none
 * takes another for lost that only has more to do.
 */
final class Meeting {
  private final Communicator ranks;

  Meeting(Communicator ranks) {
    this.ranks = ranks;
  }

  /** Whether some rank wants to stop; from one that trains. */
  boolean stops(boolean stop) {
    return meet(true, stop)[1] > 0;
  }

  /** Meets for as long as some rank trains; from one that does not. */
  void awaitEnd(BooleanSupplier stop) {
    while (meet(false, stop.getAsBoolean())[0] > 0) {}
  }

  /** How many ranks train, and how many want to stop. */
  private float[] meet(boolean trains, boolean stop) {
    float[] counts = {trains ? 1 : 0, stop ? 1 : 0};
    ranks.allReduce(counts);
    return counts;
  }
}
