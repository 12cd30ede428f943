package io.ringstep;

import java.nio.file.Path;
import java.util.Objects;

/**
 * What one {@link Trainer#fit fit} does. Immutable: {@code Fit.epochs(100).batch(32).shuffled(7)}.
 */
public final class Fit {
  private static final ProgressListener SILENT = progress -> {};

  /**
   * @param directory where to write them, or null
   * @param every epochs from one to the next
   * @param start where to go on from, or null
   */
  record Checkpoints(Path directory, int every, Checkpoint start) {
    static final Checkpoints NONE = new Checkpoints(null, 0, null);
  }

  /** Averages of the parameters, in the engine's order. */
  enum Average {
    NONE,
    EMA,
    SWA
  }

  private final int epochs;
  private long batch = 32;
  private boolean shuffle;
  private long seed;
  private ProgressListener listener = SILENT;
  private Schedule schedule = Schedule.constant();
  private Dataset validation;
  private int patience;
  private double minDelta;
  private Average average = Average.NONE;
  private double decay;
  private int averageStart;
  private Checkpoints checkpoints = Checkpoints.NONE;

  private Fit(int epochs) {
    this.epochs = epochs;
  }

  private Fit copy() {
    Fit fit = new Fit(epochs);
    fit.batch = batch;
    fit.shuffle = shuffle;
    fit.seed = seed;
    fit.listener = listener;
    fit.schedule = schedule;
    fit.validation = validation;
    fit.patience = patience;
    fit.minDelta = minDelta;
    fit.average = average;
    fit.decay = decay;
    fit.averageStart = averageStart;
    fit.checkpoints = checkpoints;
    return fit;
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
    return new Fit(epochs);
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
    Fit fit = copy();
    fit.batch = batch;
    return fit;
  }

  /** The same, every epoch in a new order drawn from {@code seed}: the same on every machine. */
  public Fit shuffled(long seed) {
    Fit fit = copy();
    fit.shuffle = true;
    fit.seed = seed;
    return fit;
  }

  /** The same, telling {@code listener} how it gets on. */
  public Fit onProgress(ProgressListener listener) {
    Fit fit = copy();
    fit.listener = Objects.requireNonNull(listener, "listener");
    return fit;
  }

  /** The same with learning rates by {@code schedule}. The trainer's own is as before when the fit ends. */
  public Fit schedule(Schedule schedule) {
    Fit fit = copy();
    fit.schedule = Objects.requireNonNull(schedule, "schedule");
    return fit;
  }

  /**
   * The same, evaluating {@code rows} after every epoch; see {@link FitResult#validationLosses()}. They must be
   * standardized as the rows of training are, and stay open until the fit has ended.
   */
  public Fit validation(Dataset rows) {
    Fit fit = copy();
    fit.validation = Objects.requireNonNull(rows, "rows");
    return fit;
  }

  /**
   * The same, ending after {@code patience} epochs in a row whose validation loss is not more than {@code minDelta} below
   * the least before them. However it ends, the trainer then holds the parameters of the epoch with the least validation
   * loss, bit for bit, and its optimizer begins anew. Needs {@link #validation}.
   *
   * @param patience at least 1
   * @param minDelta finite, at least 0
   */
  public Fit earlyStopping(int patience, double minDelta) {
    if (patience < 1) {
      throw new IllegalArgumentException("patience must be at least 1, but is " + patience);
    }
    Hyperparameters.requireNonNegative("min delta", minDelta);
    Fit fit = copy();
    fit.patience = patience;
    fit.minDelta = minDelta;
    return fit;
  }

  /**
   * The same with an exponential moving average of the parameters, as PyTorch's {@code get_ema_multi_avg_fn}: that of the
   * first step is a copy, and every later one makes it average + (1 − decay)·(θ − average). Validation looks at the average,
   * and when the fit ends it is what the trainer holds.
   *
   * @param decay in [0, 1)
   */
  public Fit ema(double decay) {
    Hyperparameters.requireFraction("decay", decay);
    Fit fit = copy();
    fit.average = Average.EMA;
    fit.decay = decay;
    return fit;
  }

  /**
   * The same with stochastic weight averaging, as PyTorch's {@code AveragedModel}: the plain mean of the parameters at the
   * end of every epoch but the first {@code epochs}. Validation looks at the average once there is one, and when the fit
   * ends it is what the trainer holds.
   *
   * @param epochs that take no part, at least 0
   */
  public Fit swa(int epochs) {
    if (epochs < 0) {
      throw new IllegalArgumentException("epochs before averaging must be at least 0, but is " + epochs);
    }
    Fit fit = copy();
    fit.average = Average.SWA;
    fit.averageStart = epochs;
    return fit;
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
    Fit fit = copy();
    fit.checkpoints = new Checkpoints(directory, everyEpochs, checkpoints.start);
    return fit;
  }

  /**
   * The same, going on from {@code checkpoint}: its weights, optimizer's state and position replace the
   * trainer's. All but the number of epochs must be as it was: the network, the optimizer, the data and
   * its weights, the batch, the order, loss and penalties, schedule, averages, validation, and the engine. Then it ends with the same bits as a fit without the break.
   *
   * <p>The learning rate is the checkpoint's, whatever {@link Trainer#setLearningRate} said before.
   */
  public Fit resume(Checkpoint checkpoint) {
    Objects.requireNonNull(checkpoint, "checkpoint");
    Fit fit = copy();
    fit.checkpoints = new Checkpoints(checkpoints.directory, checkpoints.every, checkpoint);
    return fit;
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

  Schedule schedule() {
    return schedule;
  }

  /** Null where there are none. */
  Dataset validation() {
    return validation;
  }

  /** 0 where the fit does not stop early. */
  int patience() {
    return patience;
  }

  double minDelta() {
    return minDelta;
  }

  Average average() {
    return average;
  }

  double decay() {
    return decay;
  }

  int averageStart() {
    return averageStart;
  }
}
