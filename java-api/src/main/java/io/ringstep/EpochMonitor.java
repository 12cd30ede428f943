package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.Native;
import java.util.function.DoubleSupplier;

/** What a fit does between two epochs: validates, keeps the best parameters, lowers the learning rate, stops early. */
final class EpochMonitor {
  private final rs_trainer trainer;
  private final Network network;
  private final Fit fit;
  private final DoubleSupplier learningRate;
  private final EpochWatch watch;
  private float[] bestParameters;

  /** @param learningRate the trainer's own */
  EpochMonitor(rs_trainer trainer, Network network, Fit fit, DoubleSupplier learningRate) {
    this.trainer = trainer;
    this.network = network;
    this.fit = fit;
    this.learningRate = learningRate;
    this.watch = new EpochWatch(fit, fit.validation() != null);
  }

  /** Whether the fit must come back after every epoch. */
  boolean isNeeded() {
    return fit.validation() != null || fit.schedule().kind() == Schedule.Kind.PLATEAU;
  }

  /**
   * An epoch has ended.
   *
   * @param loss its own
   * @return whether to stop
   */
  boolean epochEnded(double loss, rs_fit state) {
    if (fit.validation() != null) {
      validate();
    } else {
      watch.epochEnded(loss, learningRate.getAsDouble());
    }
    setScale(state);
    return watch.isOver();
  }

  private void validate() {
    boolean averaged = swapAverage();
    try {
      if (watch.epochEnded(fit.validation().evaluate(trainer), learningRate.getAsDouble())) {
        keepParameters();
      }
    } finally {
      if (averaged) {
        swapAverage();
      }
    }
  }

  private void keepParameters() {
    if (bestParameters == null) {
      bestParameters = new float[network.parameterCount()];
    }
    Native.check(Engine.rs_trainer_get_parameters(trainer, bestParameters, bestParameters.length));
  }

  private void setScale(rs_fit state) {
    if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
      state.lr_scale(watch.scale());
    }
  }

  /** For a checkpoint. */
  CheckpointData.Monitor state() {
    return watch.state(bestParameters);
  }

  /**
   * Goes on from a checkpoint after so many epochs.
   *
   * @return whether the fit had stopped early there
   */
  boolean resume(int epochs, CheckpointData.Monitor monitor, rs_fit state) {
    watch.resume(epochs, monitor);
    bestParameters = monitor.bestParameters().length == 0 ? null : monitor.bestParameters().clone();
    setScale(state);
    return watch.isOver();
  }

  /** Leaves in the trainer what was asked for: the best parameters, or the averaged ones. */
  void finish() {
    if (bestParameters != null) {
      Native.check(Engine.rs_trainer_set_parameters(trainer, bestParameters, bestParameters.length));
    } else {
      swapAverage();
    }
  }

  double[] validationLosses() {
    return watch.validationLosses();
  }

  /** 1-based; 0 where none was looked for. */
  int bestEpoch() {
    return watch.bestEpoch();
  }

  /** Exchanges the parameters with their average, if there is one. */
  private boolean swapAverage() {
    if (fit.average() == Fit.Average.NONE) {
      return false;
    }
    int status = Engine.rs_trainer_swap_average(trainer);
    // Before the first epoch that takes part there is nothing to swap with.
    if (status == Engine.RS_INVALID_ARGUMENT) {
      return false;
    }
    Native.check(status);
    return true;
  }
}
