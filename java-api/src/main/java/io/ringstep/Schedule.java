package io.ringstep;

import java.util.Objects;

/**
 * How the learning rate changes over one {@link Trainer#fit fit}, by PyTorch's {@code lr_scheduler} formulas. η is the
 * optimizer's learning rate and t the number of steps done; after a {@link #withWarmup warm-up}, t counts from its end, as
 * with {@code SequentialLR}. Immutable.
 */
public final class Schedule {
  private static final Schedule CONSTANT = new Schedule(Kind.CONSTANT);

  /** The formulas; those before the last are the engine's, in its order. */
  enum Kind {
    CONSTANT,
    STEP,
    COSINE,
    PLATEAU
  }

  private final Kind kind;
  private int epochs;
  private double factor;
  private double minLearningRate;
  private int patience;
  private long warmupSteps;
  private double warmupStart;

  private Schedule(Kind kind) {
    this.kind = kind;
  }

  /** η throughout. */
  public static Schedule constant() {
    return CONSTANT;
  }

  /**
   * {@code StepLR}: η·γ^⌊t / n⌋, with n the steps of {@code epochs} epochs.
   *
   * @param epochs at least 1
   * @param gamma γ, finite, at least 0
   */
  public static Schedule step(int epochs, double gamma) {
    requireAtLeast("epochs of a step", epochs, 1);
    Hyperparameters.requireNonNegative("gamma", gamma);
    Schedule schedule = new Schedule(Kind.STEP);
    schedule.epochs = epochs;
    schedule.factor = gamma;
    return schedule;
  }

  /**
   * {@code CosineAnnealingLR}, a step at a time: η_min + (η − η_min)·(1 + cos(π·t / T)) / 2, with T the steps of the fit,
   * without those of a warm-up.
   *
   * @param minLearningRate η_min, finite, at least 0
   */
  public static Schedule cosine(double minLearningRate) {
    Hyperparameters.requireNonNegative("minimum learning rate", minLearningRate);
    Schedule schedule = new Schedule(Kind.COSINE);
    schedule.minLearningRate = minLearningRate;
    return schedule;
  }

  /**
   * {@code ReduceLROnPlateau} with its defaults: after more than {@code patience} epochs in a row whose loss is not below
   * 0.9999 of the best before them, η becomes max(η·factor, η_min). The loss is that of the validation rows, or without
   * these the epoch's own.
   *
   * @param factor above 0, below 1
   * @param patience at least 0
   * @param minLearningRate η_min, finite, at least 0
   */
  public static Schedule plateau(double factor, int patience, double minLearningRate) {
    if (!(factor > 0 && factor < 1)) {
      throw new IllegalArgumentException("factor must be above 0 and below 1, but is " + factor);
    }
    requireAtLeast("patience", patience, 0);
    Hyperparameters.requireNonNegative("minimum learning rate", minLearningRate);
    Schedule schedule = new Schedule(Kind.PLATEAU);
    schedule.factor = factor;
    schedule.patience = patience;
    schedule.minLearningRate = minLearningRate;
    return schedule;
  }

  /**
   * The same after a linear warm-up, as {@code LinearLR}: η·(start + (1 − start)·t / steps) for the first {@code steps}
   * steps.
   *
   * @param steps at least 1
   * @param start from 0 to 1; PyTorch's default is 1/3
   */
  public Schedule withWarmup(long steps, double start) {
    requireAtLeast("steps of the warm-up", steps, 1);
    if (!(start >= 0 && start <= 1)) {
      throw new IllegalArgumentException("start of the warm-up must be from 0 to 1, but is " + start);
    }
    Schedule schedule = new Schedule(kind);
    schedule.epochs = epochs;
    schedule.factor = factor;
    schedule.minLearningRate = minLearningRate;
    schedule.patience = patience;
    schedule.warmupSteps = steps;
    schedule.warmupStart = start;
    return schedule;
  }

  private static void requireAtLeast(String what, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(what + " must be at least " + least + ", but is " + value);
    }
  }

  Kind kind() {
    return kind;
  }

  int epochs() {
    return epochs;
  }

  double factor() {
    return factor;
  }

  double minLearningRate() {
    return minLearningRate;
  }

  int patience() {
    return patience;
  }

  long warmupSteps() {
    return warmupSteps;
  }

  double warmupStart() {
    return warmupStart;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Schedule s
        && kind == s.kind
        && epochs == s.epochs
        && factor == s.factor
        && minLearningRate == s.minLearningRate
        && patience == s.patience
        && warmupSteps == s.warmupSteps
        && warmupStart == s.warmupStart;
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, epochs, factor, minLearningRate, patience, warmupSteps, warmupStart);
  }

  /** For example {@code cosine to 0.001, 100 steps of warm-up from 0.1}. */
  @Override
  public String toString() {
    String text =
        switch (kind) {
          case CONSTANT -> "constant";
          case STEP -> "times " + factor + " every " + epochs + (epochs == 1 ? " epoch" : " epochs");
          case COSINE -> "cosine to " + minLearningRate;
          case PLATEAU ->
              "times " + factor + " on a plateau of more than " + patience + (patience == 1 ? " epoch" : " epochs");
        };
    return warmupSteps == 0 ? text : text + ", " + warmupSteps + " steps of warm-up from " + warmupStart;
  }
}
