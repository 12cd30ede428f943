package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_ensemble;
import io.ringstep.engine.Engine.rs_ensemble_run;
import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.internal.Native;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.indexer.DoubleIndexer;

/** Runs one fit of an ensemble in slices of the engine, short enough to report progress and to be cancelled. */
final class EnsembleLoop {
  private static final double LEAST_SLICE_SECONDS = 0.02;
  private static final double MOST_SLICE_SECONDS = 0.1;

  /** Of very many models each slice takes some milliseconds to look at all. */
  private static final double SLICE_SECONDS_A_MODEL = 1e-5;

  private static final long REPORT_NANOS = 15_000_000;

  /** Losses there is room for at the beginning, of all models and epochs together. */
  private static final int FIRST_LOSSES = 1 << 24;

  /**
   * What a fit is made of.
   *
   * @param seeds may be null: then every model has the fit's order
   * @param together whether it exchanges with other ranks, so that an early end must be agreed upon
   */
  record Plan(RowsByModel rows, Fit fit, long[] seeds, Exchange exchange, boolean together) {}

  private final rs_ensemble ensemble;
  private final int models;
  private final Plan plan;
  private final EnsembleMonitor monitor;
  private final BooleanSupplier cancelled;
  private final long totalSteps;
  private final List<Pointer> memory = new ArrayList<>();
  private long lastReport;
  private long epochsTogether;

  /** [models, room]: the loss of every epoch so far; read without a call into the native library for each. */
  private DoublePointer losses;

  private DoubleIndexer lossValues;

  /** Epochs that the engine is asked for at most; more room is made when they are done. */
  private int room;

  private Pointer lossMemory;

  EnsembleLoop(rs_ensemble ensemble, int models, Plan plan, EnsembleMonitor monitor, BooleanSupplier cancelled) {
    this.ensemble = ensemble;
    this.models = models;
    this.plan = plan;
    this.monitor = monitor;
    this.cancelled = cancelled;
    this.totalSteps = totalSteps();
  }

  EnsembleResult run() {
    long start = System.nanoTime();
    lastReport = start;
    try (FitTable fits = new FitTable(models)) {
      makeRoom(firstRoom());
      fill(fits);
      rs_ensemble_run run = settings();
      Engine.rs_ensemble_stop(ensemble, 0);
      long[] failedBefore = failures();
      boolean stopped = false;
      rs_dataset rows = plan.rows.data().acquire();
      try {
        while (run.done() == 0 && !stopped) {
          Native.check(Engine.rs_ensemble_fit(ensemble, rows, fits.first(), run));
          if (monitor.isNeeded()) {
            lookAtEpochs(fits, run);
          }
          if (run.done() != 0 && needsRoom(fits)) {
            makeRoom((int) Math.min(plan.fit.epochs(), 2L * room));
            allow(fits);
            run.done(0);
          }
          report(run, fits);
          stopped = isStopped(run);
        }
        monitor.finish(failures());
      } finally {
        plan.rows.data().release();
      }
      boolean cut = run.done() == 0;
      Duration duration = Duration.ofNanos(System.nanoTime() - start);
      return new EnsembleResult(
          results(fits, failedBefore, cut, duration.dividedBy(models)), cut, duration);
    } finally {
      memory.forEach(Pointer::free);
    }
  }

  /**
   * All epochs, or where these are very many as many as there is room for. A cosine, the mean at the end of an exchange
   * and ranks that meet there need to know the end from the beginning.
   */
  private int firstRoom() {
    boolean needsEnd = plan.fit.schedule().kind() == Schedule.Kind.COSINE || plan.exchange.kind() != Exchange.Kind.NEVER;
    return needsEnd ? plan.fit.epochs() : Math.min(plan.fit.epochs(), Math.max(1, FIRST_LOSSES / models));
  }

  private boolean isStopped(rs_ensemble_run run) {
    boolean wanted = cancelled.getAsBoolean();
    if (!plan.together) {
      return wanted;
    }
    if (wanted) {
      // Heeded by all ranks after the same exchange, which the result then says.
      Engine.rs_ensemble_stop(ensemble, 1);
    }
    return run.stopped() != 0;
  }

  /** Room for the losses of so many epochs, with those that there are. */
  private void makeRoom(int epochs) {
    DoublePointer larger = new DoublePointer(allocate((long) models * epochs * Double.BYTES));
    for (int k = 0; losses != null && k < models; k++) {
      Pointer.memcpy(
          larger.getPointer((long) k * epochs), losses.getPointer((long) k * room),
          (long) room * Double.BYTES);
    }
    if (losses != null) {
      memory.remove(lossMemory);
      Pointer.free(lossMemory);
    }
    lossMemory = memory.get(memory.size() - 1);
    losses = larger;
    lossValues = DoubleIndexer.create(losses.capacity((long) models * epochs));
    room = epochs;
  }

  /** Lets the engine do the epochs that there is room for; models that stopped early have none. */
  private void allow(FitTable fits) {
    long address = losses.address();
    for (int k = 0; k < models; k++) {
      fits.setLosses(k, address + (long) k * room * Double.BYTES);
      if (!monitor.watch(k).isOver()) {
        fits.setEpochs(k, room);
      }
    }
  }

  /** Whether some model has done all the epochs that there is room for, but not all of its own. */
  private boolean needsRoom(FitTable fits) {
    if (room == plan.fit.epochs()) {
      return false;
    }
    long[] failed = failures();
    for (int k = 0; k < models; k++) {
      if (failed[k] == 0 && !monitor.watch(k).isOver() && fits.epoch(k) == room) {
        return true;
      }
    }
    return false;
  }

  /** Each model pauses at the end of an epoch; those that exchange do so together, and one that diverged with the others. */
  private void lookAtEpochs(FitTable fits, rs_ensemble_run run) {
    boolean exchanges = plan.exchange.kind() != Exchange.Kind.NEVER;
    boolean endedTogether = run.epochs() > epochsTogether;
    epochsTogether = run.epochs();
    int[] ended = new int[models];
    double[] own = new double[models];
    boolean any = false;
    for (int k = 0; k < models; k++) {
      if (exchanges ? endedTogether : fits.lossesCount(k) > 0) {
        ended[k] = 1;
        own[k] = lossValues.get((long) k * room + (exchanges ? run.epochs() : fits.epoch(k)) - 1);
        any = true;
      }
    }
    if (any) {
      monitor.epochsEnded(fits, ended, own);
    }
  }

  private Pointer allocate(long bytes) {
    Pointer part = Native.allocate(bytes);
    memory.add(part);
    return part;
  }

  /** Says what each model does. */
  private void fill(FitTable fits) {
    Fit fit = plan.fit;
    float[] scales = plan.rows.targetScales();
    int outputs = plan.rows.data().outputs();
    FloatPointer nativeScales =
        scales == null ? null : new FloatPointer(allocate((long) scales.length * Float.BYTES)).put(scales, 0, scales.length);
    rs_fit first = fits.first();
    first.batch(fit.batch()).shuffle(fit.shuffle() ? 1 : 0).seed(fit.seed());
    first.losses_capacity(monitor.isNeeded() ? 1 : 0).target_scale(nativeScales);
    FitLoop.settings(fit, first);
    fits.repeatFirst();
    for (int k = 0; plan.seeds != null && k < models; k++) {
      fits.setSeed(k, plan.seeds[k]);
    }
    boolean ownScales = scales != null && scales.length > outputs;
    for (int k = 0; ownScales && k < models; k++) {
      fits.setTargetScale(k, nativeScales.address() + (long) k * outputs * Float.BYTES);
    }
    allow(fits);
  }

  private rs_ensemble_run settings() {
    rs_ensemble_run run = new rs_ensemble_run(allocate(Loader.sizeof(rs_ensemble_run.class)));
    run.seconds(sliceSeconds()).exchange(plan.exchange.kind().ordinal()).exchange_every(plan.exchange.every());
    long[] first = plan.rows.firstRows();
    long[] counts = plan.rows.counts();
    if (first != null) {
      run.first_rows(longs(first)).row_counts(longs(counts));
    }
    if (plan.exchange.weighted() && counts != null) {
      DoublePointer weights = new DoublePointer(allocate((long) models * Double.BYTES));
      for (int k = 0; k < models; k++) {
        weights.put(k, counts[k]);
      }
      run.exchange_weights(weights);
    }
    return run;
  }

  private double sliceSeconds() {
    return Math.min(MOST_SLICE_SECONDS, Math.max(LEAST_SLICE_SECONDS, models * SLICE_SECONDS_A_MODEL));
  }

  private LongPointer longs(long[] values) {
    return new LongPointer(allocate((long) values.length * Long.BYTES)).put(values, 0, values.length);
  }

  private long[] failures() {
    long[] failures = new long[models];
    Native.check(Engine.rs_ensemble_failures(ensemble, failures));
    return failures;
  }

  private List<EnsembleResult.OfModel> results(
      FitTable fits, long[] failedBefore, boolean cut, Duration share) {
    long[] failed = failures();
    List<EnsembleResult.OfModel> results = new ArrayList<>(models);
    for (int k = 0; k < models; k++) {
      double[] own = new double[fits.epoch(k)];
      lossValues.get((long) k * room, own);
      long samples = own.length * plan.rows.rows(k) + fits.row(k);
      long divergedAt = failed[k] == failedBefore[k] ? 0 : failed[k];
      EpochWatch watch = monitor.watch(k);
      results.add(
          new EnsembleResult.OfModel(
              k, fits.steps(k), own, watch.validationLosses(), watch.bestEpoch(), watch.isOver(), divergedAt, samples, cut, share));
    }
    return results;
  }

  /** Tells of all models' steps, and of the epochs of the first. */
  private void report(rs_ensemble_run run, FitTable fits) {
    long now = System.nanoTime();
    if (run.done() == 0 && now - lastReport < REPORT_NANOS) {
      return;
    }
    lastReport = now;
    int epoch = fits.epoch(0);
    double loss = epoch == 0 ? Double.NaN : lossValues.get(epoch - 1);
    plan.fit.listener().progress(new Progress(epoch, plan.fit.epochs(), run.steps(), totalSteps, loss));
  }

  private long totalSteps() {
    long total = 0;
    for (int k = 0; k < models; k++) {
      total += (1 + (plan.rows.rows(k) - 1) / plan.fit.batch()) * plan.fit.epochs();
    }
    return total;
  }
}
