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

/** Runs one fit of an ensemble in slices of the engine, short enough to report progress and to be cancelled. */
final class EnsembleLoop {
  private static final double SLICE_SECONDS = 0.02;
  private static final long REPORT_NANOS = 15_000_000;

  /** What a fit is made of. {@code seeds} may be null: then every model has the fit's order. */
  record Plan(RowsByModel rows, Fit fit, long[] seeds, Exchange exchange) {}

  private final rs_ensemble ensemble;
  private final int models;
  private final Plan plan;
  private final BooleanSupplier cancelled;
  private final List<Pointer> memory = new ArrayList<>();
  private long lastReport;

  EnsembleLoop(rs_ensemble ensemble, int models, Plan plan, BooleanSupplier cancelled) {
    this.ensemble = ensemble;
    this.models = models;
    this.plan = plan;
    this.cancelled = cancelled;
  }

  EnsembleResult run() {
    long start = System.nanoTime();
    lastReport = start;
    try {
      DoublePointer losses = new DoublePointer(allocate((long) models * plan.fit.epochs() * Double.BYTES));
      rs_fit fits = fits(losses);
      rs_ensemble_run run = settings();
      long[] failedBefore = failures();
      boolean stopped = false;
      rs_dataset rows = plan.rows.data().acquire();
      try {
        while (run.done() == 0 && !stopped) {
          Native.check(Engine.rs_ensemble_fit(ensemble, rows, fits.position(0), run));
          report(run, fits, losses);
          stopped = cancelled.getAsBoolean();
        }
      } finally {
        plan.rows.data().release();
      }
      boolean cut = run.done() == 0;
      Duration duration = Duration.ofNanos(System.nanoTime() - start);
      return new EnsembleResult(
          results(fits, losses, failedBefore, cut, duration.dividedBy(models)), cut, duration);
    } finally {
      memory.forEach(Pointer::free);
    }
  }

  private Pointer allocate(long bytes) {
    Pointer part = Native.allocate(bytes);
    memory.add(part);
    return part;
  }

  /** What each model does. */
  private rs_fit fits(DoublePointer losses) {
    Fit fit = plan.fit;
    long size = Loader.sizeof(rs_fit.class);
    rs_fit fits = new rs_fit(allocate(models * size));
    float[] scales = plan.rows.targetScales();
    int outputs = plan.rows.data().outputs();
    FloatPointer nativeScales =
        scales == null ? null : new FloatPointer(allocate((long) scales.length * Float.BYTES)).put(scales, 0, scales.length);
    boolean ownScales = scales != null && scales.length > outputs;
    for (int k = 0; k < models; k++) {
      fits.position(k).batch(fit.batch()).epochs(fit.epochs()).shuffle(fit.shuffle() ? 1 : 0);
      fits.seed(plan.seeds == null ? fit.seed() : plan.seeds[k]);
      FitLoop.settings(fit, fits);
      fits.losses(new DoublePointer(losses).position((long) k * fit.epochs()));
      if (nativeScales != null) {
        fits.target_scale(new FloatPointer(nativeScales).position(ownScales ? (long) k * outputs : 0));
      }
    }
    return fits;
  }

  private rs_ensemble_run settings() {
    rs_ensemble_run run = new rs_ensemble_run(allocate(Loader.sizeof(rs_ensemble_run.class)));
    run.seconds(SLICE_SECONDS).exchange(plan.exchange.kind().ordinal()).exchange_every(plan.exchange.every());
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

  private LongPointer longs(long[] values) {
    return new LongPointer(allocate((long) values.length * Long.BYTES)).put(values, 0, values.length);
  }

  private long[] failures() {
    long[] failures = new long[models];
    Native.check(Engine.rs_ensemble_failures(ensemble, failures));
    return failures;
  }

  private List<EnsembleResult.OfModel> results(
      rs_fit fits, DoublePointer losses, long[] failedBefore, boolean cut, Duration share) {
    long[] failed = failures();
    List<EnsembleResult.OfModel> results = new ArrayList<>(models);
    for (int k = 0; k < models; k++) {
      fits.position(k);
      double[] own = new double[(int) fits.epoch()];
      losses.position((long) k * plan.fit.epochs()).get(own);
      long samples = fits.epoch() * plan.rows.rows(k) + fits.row();
      long divergedAt = failed[k] == failedBefore[k] ? 0 : failed[k];
      results.add(new EnsembleResult.OfModel(k, fits.steps(), own, divergedAt, samples, cut, share));
    }
    return results;
  }

  /** Tells of all models' steps, and of the epochs of the first. */
  private void report(rs_ensemble_run run, rs_fit fits, DoublePointer losses) {
    long now = System.nanoTime();
    if (run.done() == 0 && now - lastReport < REPORT_NANOS) {
      return;
    }
    lastReport = now;
    int epoch = (int) fits.position(0).epoch();
    double loss = epoch == 0 ? Double.NaN : losses.position(0).get(epoch - 1);
    long total = 0;
    for (int k = 0; k < models; k++) {
      total += (1 + (plan.rows.rows(k) - 1) / plan.fit.batch()) * plan.fit.epochs();
    }
    plan.fit.listener().progress(new Progress(epoch, plan.fit.epochs(), run.steps(), total, loss));
  }
}
