package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.Native;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** Runs one fit in slices of the engine, short enough to report progress and to be cancelled. */
final class FitLoop {
  private static final double SLICE_SECONDS = 0.02;
  private static final long REPORT_NANOS = 15_000_000;
  private static final int LOSSES_PER_SLICE = 4096;

  private final rs_trainer trainer;
  private final Dataset data;
  private final Fit fit;
  private final BooleanSupplier cancelled;
  private final EpochMonitor monitor;
  private final long stepsBefore;
  private double[] losses;
  private int epochs;
  private long steps;
  private long lastReport;
  private boolean stoppedEarly;

  FitLoop(
      rs_trainer trainer, Dataset data, Fit fit, EpochMonitor monitor, BooleanSupplier cancelled, long stepsBefore) {
    this.trainer = trainer;
    this.data = data;
    this.fit = fit;
    this.monitor = monitor;
    this.cancelled = cancelled;
    this.stepsBefore = stepsBefore;
    this.losses = new double[Math.min(fit.epochs(), LOSSES_PER_SLICE)];
  }

  /** Steps taken so far, however the fit ended. */
  long steps() {
    return steps;
  }

  FitResult run() {
    long lossesAt = Loader.sizeof(rs_fit.class);
    int capacity = monitor.isNeeded() ? 1 : losses.length;
    long scaleAt = lossesAt + (long) capacity * Double.BYTES;
    Pointer memory = Native.allocate(scaleAt + (long) data.outputs() * Float.BYTES);
    try {
      return run(
          new rs_fit(memory).losses_capacity(capacity),
          new DoublePointer(memory.getPointer(lossesAt)),
          new FloatPointer(memory.getPointer(scaleAt)));
    } finally {
      Pointer.free(memory);
    }
  }

  private FitResult run(rs_fit state, DoublePointer sliceLosses, FloatPointer targetScale) {
    long start = System.nanoTime();
    lastReport = start;
    float[] scale = data.targetScale();
    if (scale != null) {
      state.target_scale(targetScale.put(scale, 0, scale.length));
    }
    state.batch(fit.batch()).epochs(fit.epochs()).shuffle(fit.shuffle() ? 1 : 0).seed(fit.seed());
    state.seconds(SLICE_SECONDS).losses(sliceLosses);
    settings(fit, state);
    rs_dataset rows = data.acquire();
    boolean stopped = false;
    try {
      while (state.done() == 0 && !stoppedEarly && !stopped) {
        slice(rows, state, sliceLosses);
        report(state);
        stopped = cancelled.getAsBoolean();
      }
      monitor.finish();
    } finally {
      data.release();
    }
    long samples = state.epoch() * data.rows() + state.row();
    return new FitResult(
        steps, Arrays.copyOf(losses, epochs), state.done() == 0 && !stoppedEarly, samples,
        Duration.ofNanos(System.nanoTime() - start), monitor.validationLosses(), monitor.bestEpoch(), stoppedEarly);
  }

  /** What the engine is told of schedules and averages. */
  static void settings(Fit fit, rs_fit state) {
    Schedule schedule = fit.schedule();
    // The engine knows no plateau: there the rate is constant but for lr_scale.
    int kind = schedule.kind() == Schedule.Kind.PLATEAU ? Engine.RS_CONSTANT : schedule.kind().ordinal();
    state
        .schedule()
        .kind(kind)
        .step_epochs(schedule.epochs())
        .gamma(schedule.factor())
        .min_lr(schedule.minLearningRate())
        .warmup_steps(schedule.warmupSteps())
        .warmup_start(schedule.warmupStart());
    state.average().kind(fit.average().ordinal()).ema_decay(fit.decay()).swa_start(fit.averageStart());
  }

  private void slice(rs_dataset rows, rs_fit state, DoublePointer sliceLosses) {
    int status = Engine.rs_trainer_fit(trainer, rows, state);
    steps = state.steps();
    if (status == Engine.RS_NON_FINITE) {
      throw new DivergedException(stepsBefore + steps + 1);
    }
    Native.check(status);
    int count = (int) state.losses_count();
    if (epochs + count > losses.length) {
      losses = Arrays.copyOf(losses, (int) Math.min(fit.epochs(), 2L * losses.length));
    }
    sliceLosses.get(losses, epochs, count);
    epochs += count;
    if (count > 0 && monitor.isNeeded()) {
      stoppedEarly = monitor.epochEnded(losses[epochs - 1], state);
    }
  }

  /** Fits of little data end many slices a second by the number of their epochs. */
  private void report(rs_fit state) {
    long now = System.nanoTime();
    if (state.done() == 0 && !stoppedEarly && now - lastReport < REPORT_NANOS) {
      return;
    }
    lastReport = now;
    long stepsPerEpoch = 1 + (data.rows() - 1) / fit.batch();
    double loss = epochs == 0 ? Double.NaN : losses[epochs - 1];
    fit.listener()
        .progress(new Progress(epochs, fit.epochs(), state.steps(), stepsPerEpoch * fit.epochs(), loss));
  }
}
