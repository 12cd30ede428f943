package io.ringstep;

import java.nio.file.Path;
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
  private final Checkpoints checkpoints;

  /**
   * @param directory where to write them, or null
   * @param every epochs from one to the next
   * @param start where to go on from, or null
   */
  record Checkpoints(Path directory, int every, Checkpoint start) {
    static final Checkpoints NONE = new Checkpoints(null, 0, null);
  }

  private Fit(
      int epochs, long batch, boolean shuffle, long seed, ProgressListener listener, Checkpoints checkpoints) {
    this.epochs = epochs;
    this.batch = batch;
    this.shuffle = shuffle;
    this.seed = seed;
    this.listener = listener;
    this.checkpoints = checkpoints;
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
    return new Fit(epochs, 32, false, 0, SILENT, Checkpoints.NONE);
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
    return new Fit(epochs, batch, shuffle, seed, listener, checkpoints);
  }

  /** The same, every epoch in a new order drawn from {@code seed}: the same on every machine. */
  public Fit shuffled(long seed) {
    return new Fit(epochs, batch, true, seed, listener, checkpoints);
  }

  /** The same, telling {@code listener} how it gets on. */
  public Fit onProgress(ProgressListener listener) {
    return new Fit(
        epochs, batch, shuffle, seed, Objects.requireNonNull(listener, "listener"), checkpoints);
  }

  /**
   * The same, writing a {@link Checkpoint} after every so many epochs, and at the end, be it early by
   * {@link Trainer#cancel()}. Each is written whole or not at all; the last two are kept. Of several
   * ranks, rank 0 writes.
   *
   * @param directory of this training alone; made where needed
   * @param everyEpochs at least 1
   */
  public Fit checkpoint(Path directory, int everyEpochs) {
    if (everyEpochs < 1) {
      throw new IllegalArgumentException("everyEpochs must be at least 1, but is " + everyEpochs);
    }
    Objects.requireNonNull(directory, "directory");
    return new Fit(
        epochs, batch, shuffle, seed, listener,
        new Checkpoints(directory, everyEpochs, checkpoints.start));
  }

  /**
   * The same, going on from {@code checkpoint}: its weights, optimizer's state and position replace the
   * trainer's. All but the number of epochs must be as it was: the network, the optimizer, the data, the
   * batch, the order. Then it ends with the same bits as a fit without the break.
   */
  public Fit resume(Checkpoint checkpoint) {
    Objects.requireNonNull(checkpoint, "checkpoint");
    return new Fit(
        epochs, batch, shuffle, seed, listener,
        new Checkpoints(checkpoints.directory, checkpoints.every, checkpoint));
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

  Checkpoints checkpoints() {
    return checkpoints;
  }

  ProgressListener listener() {
    return listener;
  }
}
