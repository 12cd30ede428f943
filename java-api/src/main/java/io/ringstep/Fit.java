package io.ringstep;

import java.util.Objects;

/**
 * What one {@link Trainer#fit fit} does. Immutable: {@code Fit.epochs(100).batch(32).shuffled(7)}.
 */
public final class Fit {
  private static final ProgressListener SILENT = progress -> {};

  private final int epochs;
  private final long batch;
  private final boolean shuffle;
  private final long seed;
  private final ProgressListener listener;

  private Fit(int epochs, long batch, boolean shuffle, long seed, ProgressListener listener) {
    this.epochs = epochs;
    this.batch = batch;
    this.shuffle = shuffle;
    this.seed = seed;
    this.listener = listener;
  }

  /**
   * So many passes over the rows, in their own order, 32 rows a step.
   *
   * @param epochs at least 1
   */
  public static Fit epochs(int epochs) {
    if (epochs < 1) {
      throw new IllegalArgumentException("epochs must be at least 1, but is " + epochs);
    }
    return new Fit(epochs, 32, false, 0, SILENT);
  }

  /**
   * The same with so many rows a step; an epoch's last step takes the rows that are left.
   *
   * @param batch at least 1
   */
  public Fit batch(long batch) {
    if (batch < 1) {
      throw new IllegalArgumentException("batch must be at least 1, but is " + batch);
    }
    return new Fit(epochs, batch, shuffle, seed, listener);
  }

  /** The same, every epoch in a new order drawn from {@code seed}: the same on every machine. */
  public Fit shuffled(long seed) {
    return new Fit(epochs, batch, true, seed, listener);
  }

  /** The same, telling {@code listener} how it gets on. */
  public Fit onProgress(ProgressListener listener) {
    return new Fit(epochs, batch, shuffle, seed, Objects.requireNonNull(listener, "listener"));
  }

  int epochs() {
    return epochs;
  }

  long batch() {
    return batch;
  }

  boolean shuffle() {
    return shuffle;
  }

  long seed() {
    return seed;
  }

  ProgressListener listener() {
    return listener;
  }
}
