package io.ringstep;

import io.ringstep.SearchSpace.Setting;
import java.time.Duration;
import java.util.List;

/** What a {@link Sweep} found. */
public final class SweepResult {
  private final Sweep sweep;
  private final List<Trial> trials;
  private final long steps;
  private final boolean cancelled;
  private final Duration duration;

  SweepResult(Sweep sweep, List<Trial> trials, long steps, boolean cancelled, Duration duration) {
    this.sweep = sweep;
    this.trials = trials;
    this.steps = steps;
    this.cancelled = cancelled;
    this.duration = duration;
  }

  /**
   * How one setting did.
   *
   * @param loss mean over the folds of the mean squared error on their rows, at its best; infinite where it diverged
   * @param foldLosses of each fold
   * @param roundEpochs epochs of the round in which it did best
   * @param epochs after which it did best
   * @param round how far it came: 1 to 3
   */
  public record Trial(Setting setting, double loss, double[] foldLosses, int roundEpochs, int epochs, int round) {
    Trial(Setting setting, double loss, double[] foldLosses, int roundEpochs, int epochs) {
      this(setting, loss, foldLosses, roundEpochs, epochs, 1);
    }

    Trial inRound(int round) {
      return new Trial(setting, loss, foldLosses, roundEpochs, epochs, round);
    }
  }

  /** All settings that were tried, the best first. */
  public List<Trial> trials() {
    return trials;
  }

  /**
   * The best setting.
   *
   * @throws IllegalStateException if the search was cancelled before its first round ended
   */
  public Trial best() {
    if (trials.isEmpty()) {
      throw new IllegalStateException("the search was cancelled before any setting was judged");
    }
    return trials.get(0);
  }

  /**
   * A model of the best setting, trained on all rows for as many epochs as it did best with.
   *
   * @param data the rows that were searched on
   * @throws DivergedException if it diverges on all rows, which it did not on a part of them
   */
  public Model refit(Dataset data) {
    return sweep.refit(data, best());
  }

  /** Steps of all models in all rounds. */
  public long steps() {
    return steps;
  }

  /** Whether it was told to end early. */
  public boolean cancelled() {
    return cancelled;
  }

  /** How long it took. */
  public Duration duration() {
    return duration;
  }
}
