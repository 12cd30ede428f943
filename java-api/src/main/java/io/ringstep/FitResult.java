package io.ringstep;

import java.time.Duration;

/** What a {@link Trainer#fit fit} did. */
public final class FitResult {
  private final long steps;
  private final double[] losses;
  private final boolean cancelled;
  private final long samples;
  private final Duration duration;

  FitResult(long steps, double[] losses, boolean cancelled, long samples, Duration duration) {
    this.steps = steps;
    this.losses = losses;
    this.cancelled = cancelled;
    this.samples = samples;
    this.duration = duration;
  }

  /** Steps taken. */
  public long steps() {
    return steps;
  }

  /** Whole epochs done. */
  public int epochs() {
    return losses.length;
  }

  /**
   * Mean loss of each whole epoch as it was trained, each step's taken before its update, in the
   * targets' own units.
   */
  public double[] losses() {
    return losses.clone();
  }

  /** Whether {@link Trainer#cancel()} ended it early. */
  public boolean cancelled() {
    return cancelled;
  }

  /** Rows trained on, counting every visit. */
  public long samples() {
    return samples;
  }

  /** Time taken. */
  public Duration duration() {
    return duration;
  }

  @Override
  public String toString() {
    return steps + " steps, " + losses.length + " epochs"
        + (losses.length == 0 ? "" : ", last loss " + losses[losses.length - 1])
        + (cancelled ? ", cancelled" : "");
  }
}
