package io.ringstep.internal.rendezvous;

import java.time.Duration;

/** How often both sides show that they live, and how long a silence means that one does not. */
final class Pulse {
  private static final int BEATS_IN_SILENCE = 10;
  private static final Duration LONGEST_INTERVAL = Duration.ofSeconds(1);
  private static final long LONGEST_TICK_MILLIS = 100;

  private final Duration deadline;
  private final Duration silence;
  private final Duration interval;

  /** @param deadline of the job; half of it is for noticing, half for ending every wait */
  Pulse(Duration deadline) {
    this.deadline = deadline;
    silence = deadline.dividedBy(2);
    Duration even = silence.dividedBy(BEATS_IN_SILENCE);
    interval = even.compareTo(LONGEST_INTERVAL) < 0 ? even : LONGEST_INTERVAL;
  }

  Duration deadline() {
    return deadline;
  }

  long intervalNanos() {
    return interval.toNanos();
  }

  long silenceNanos() {
    return silence.toNanos();
  }

  /** How long to sleep at most. */
  long tickMillis() {
    return Math.min(interval.toMillis(), LONGEST_TICK_MILLIS);
  }

  /** What to say of a rank that is silent. */
  String silence() {
    return "has not been heard of for " + Text.seconds(silence) + ": it hangs, is stopped, or is cut off";
  }
}
