package io.ringstep;

import java.util.Locale;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the models of an {@link Ensemble} tell each other while they are trained. Immutable.
 *
 * <p>Models that exchange are one in what a fit does between two epochs, over all ranks: there is one validation loss, the
 * same early end for all, and all end with the same weights. No model is changed by being validated.
 */
public final class Exchange {
  /** What is exchanged. */
  enum Kind {
    NEVER,
    AVERAGE,
    GRADIENT
  }

  private static final Pattern AVERAGE_EVERY = Pattern.compile("average:([1-9][0-9]{0,17})");
  private static final Exchange NEVER = new Exchange(Kind.NEVER, 0, false);
  private static final Exchange GRADIENT = new Exchange(Kind.GRADIENT, 0, false);

  private final Kind kind;
  private final long every;
  private final boolean weighted;

  private Exchange(Kind kind, long every, boolean weighted) {
    this.kind = kind;
    this.every = every;
    this.weighted = weighted;
  }

  /** Nothing: every model is trained as if it were alone. */
  public static Exchange never() {
    return NEVER;
  }

  /**
   * Local SGD: after every {@code steps} steps, and at the end, every model takes the mean of all parameters. The
   * optimizers' states stay each model's own; models that diverged have no part in it. A model with fewer steps to do
   * waits for the others with what it has. (Stich, "Local SGD converges fast and communicates little", 2019.)
   *
   * <p>What is trained is the mean. At the end of every epoch it is the mean of the parameters that is validated, and with
   * early stopping the best of these means is what all models end with. Reduce-on-plateau without validation watches the mean
   * of the models' losses. Each model keeps its own averages of the weights; their mean, which is the average of the mean, is
   * validated, and is what all end with. For all this the models must have as many rows each.
   *
   * @param steps at least 1
   */
  public static Exchange average(long steps) {
    if (steps < 1) {
      throw new IllegalArgumentException("models must average every 1 or more steps, but got " + steps);
    }
    return new Exchange(Kind.AVERAGE, steps, false);
  }

  /**
   * Data-parallel training: every step's rows are shared out, and their summed gradients move all models alike. All
   * start from model 0, must have the same optimizer, and end with the bits that one {@link Trainer} with the same
   * batch has: a batch is cut into blocks of rows by its size alone, and the blocks' gradients are added exactly, so
   * it does not matter who computes which. Validation, early stopping, reduce-on-plateau and averages of the weights are that
   * trainer's, too.
   */
  public static Exchange gradient() {
    return GRADIENT;
  }

  /** The same mean, but each model counts as much as it has rows. Only {@link #average} has one. */
  public Exchange weightedBySamples() {
    if (kind != Kind.AVERAGE) {
      throw new IllegalStateException("only an average can be weighted; this is " + this);
    }
    return new Exchange(kind, every, true);
  }

  /**
   * The exchange that the command line calls {@code name}.
   *
   * @param name {@code never}, {@code average:M} or {@code gradient}
   * @throws IllegalArgumentException if it is none of these
   */
  public static Exchange parse(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    Matcher average = AVERAGE_EVERY.matcher(lower);
    if (average.matches()) {
      return average(Long.parseLong(average.group(1)));
    }
    return switch (lower) {
      case "never" -> NEVER;
      case "gradient" -> GRADIENT;
      default ->
          throw new IllegalArgumentException(
              "no exchange '" + name + "'; use never, average:M (every M steps, at least 1) or gradient");
    };
  }

  Kind kind() {
    return kind;
  }

  long every() {
    return every;
  }

  boolean weighted() {
    return weighted;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Exchange e && kind == e.kind && every == e.every && weighted == e.weighted;
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, every, weighted);
  }

  /** The name that {@link #parse} takes. */
  @Override
  public String toString() {
    return kind.name().toLowerCase(Locale.ROOT) + (kind == Kind.AVERAGE ? ":" + every : "");
  }
}
