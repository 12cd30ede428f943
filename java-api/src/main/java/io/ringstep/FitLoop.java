package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.CheckpointData.Position;
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
  private final Checkpointing checkpoints;
  private final boolean together;
  private double[] losses;
  private int epochs;
  private long steps;
  private long lastReport;
  private boolean stoppedEarly;

  /**
   * @param checkpoints how to write and to resume them
   * @param together whether other ranks train too, so that an early end must be agreed upon
   */
  FitLoop(
      rs_trainer trainer, Dataset data, Fit fit, EpochMonitor monitor, BooleanSupplier cancelled, long stepsBefore,
      Checkpointing checkpoints, boolean together) {
    this.together = together;
    this.trainer = trainer;
    this.data = data;
    this.fit = fit;
    this.monitor = monitor;
    this.cancelled = cancelled;
    this.stepsBefore = stepsBefore;
    this.checkpoints = checkpoints;
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
    long lossesPerSlice = state.losses_capacity();
    Engine.rs_trainer_stop(trainer, 0);
    checkpoints.resume(trainer).ifPresent(checkpoint -> resume(state, checkpoint));
    long samplesBefore = state.epoch() * data.rows() + state.row();
    rs_dataset rows = data.acquire();
    try (checkpoints) {
      boolean stopped = false;
      while (state.done() == 0 && !stoppedEarly && !stopped) {
        state.losses_capacity(Math.min(lossesPerSlice, checkpoints.epochsToNext(epochs)));
        slice(rows, state, sliceLosses);
        report(state);
        stopped = isStopped(state);
        // Once it is cancelled the last checkpoint is next, and a slow disk need not write two.
        boolean due = checkpoints.isDue(epochs) && !cancelled.getAsBoolean();
        if (state.done() != 0 || stoppedEarly || stopped || due) {
          checkpoints.write(trainer, position(state), monitor.state());
        }
      }
      monitor.finish();
    } finally {
      data.release();
    }
    long samples = state.epoch() * data.rows() + state.row() - samplesBefore;
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

  private boolean isStopped(rs_fit state) {
    boolean wanted = cancelled.getAsBoolean();
    if (!together) {
      return wanted;
    }
    if (wanted) {
      // Heeded by all ranks after the same step, which the result then says.
      Engine.rs_trainer_stop(trainer, 1);
    }
    return state.stopped() != 0;
  }

  private void resume(rs_fit state, CheckpointData checkpoint) {
    Position position = checkpoint.position();
    if (position.epoch() > fit.epochs()) {
      throw new IllegalArgumentException(
          "the checkpoint has " + position.epoch() + " epochs done, more than the " + fit.epochs() + " of this fit");
    }
    state.epoch(position.epoch()).row(position.row()).steps(position.steps());
    state.epoch_loss_sum(position.lossSum()).epoch_weight_sum(position.weightSum());
    state.done(position.epoch() == fit.epochs() ? 1 : 0);
    epochs = (int) position.epoch();
    steps = position.steps();
    losses = Arrays.copyOf(position.losses(), Math.max(losses.length, epochs));
    stoppedEarly = monitor.resume(epochs, checkpoint.monitor(), state);
  }

  private Position position(rs_fit state) {
    return new Position(
        state.epoch(), state.row(), state.steps(), state.epoch_loss_sum(), state.epoch_weight_sum(),
        Arrays.copyOf(losses, epochs));
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
      long wanted = Math.max(2L * losses.length, epochs + count);
      losses = Arrays.copyOf(losses, (int) Math.min(fit.epochs(), wanted));
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
