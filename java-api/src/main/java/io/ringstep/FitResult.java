package io.ringstep;

import java.time.Duration;
import java.util.OptionalInt;

/** What a {@link Trainer#fit fit} did. */
public final class FitResult {
  private final long steps;
  private final double[] losses;
  private final boolean cancelled;
  private final long samples;
  private final Duration duration;
  private final double[] validationLosses;
  private final int bestEpoch;
  private final boolean stoppedEarly;

  FitResult(
      long steps, double[] losses, boolean cancelled, long samples, Duration duration,
      double[] validationLosses, int bestEpoch, boolean stoppedEarly) {
    this.steps = steps;
    this.losses = losses;
    this.cancelled = cancelled;
    this.samples = samples;
    this.duration = duration;
    this.validationLosses = validationLosses;
    this.bestEpoch = bestEpoch;
    this.stoppedEarly = stoppedEarly;
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

  /**
   * Mean loss over the validation rows at the end of each whole epoch, in the targets' own units; empty without {@link
   * Fit#validation}.
   */
  public double[] validationLosses() {
    return validationLosses.clone();
  }

  /** The epoch, from 1 on, whose parameters the trainer holds again; empty without {@link Fit#earlyStopping}. */
  public OptionalInt bestEpoch() {
    return bestEpoch == 0 ? OptionalInt.empty() : OptionalInt.of(bestEpoch);
  }

  /** Whether the fit ran out of patience ({@link Fit#earlyStopping}). */
  public boolean stoppedEarly() {
    return stoppedEarly;
  }

  @Override
  public String toString() {
    return steps + " steps, " + losses.length + " epochs"
        + (losses.length == 0 ? "" : ", last loss " + losses[losses.length - 1])
        + (stoppedEarly ? ", stopped early" : "")
        + (cancelled ? ", cancelled" : "");
  }
}
