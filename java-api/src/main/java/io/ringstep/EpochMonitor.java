package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.Native;
import java.util.Arrays;
import java.util.function.DoubleSupplier;

/** What a fit does between two epochs: validates, keeps the best parameters, lowers the learning rate, stops early. */
final class EpochMonitor {
  /** Of PyTorch's {@code ReduceLROnPlateau}: what is no smaller than this share of the best is no better. */
  private static final double PLATEAU_SHARE = 1 - 1e-4;

  /** Likewise: a learning rate that would change by less stays. */
  private static final double LEAST_CHANGE = 1e-8;

  private final rs_trainer trainer;
  private final Network network;
  private final Fit fit;
  private final DoubleSupplier learningRate;
  private double[] validationLosses = new double[0];
  private int epochs;

  private double bestLoss = Double.POSITIVE_INFINITY;
  private int bestEpoch;
  private float[] bestParameters;
  private double lossToBeat = Double.POSITIVE_INFINITY;
  private int epochsWithoutGain;

  private double scale = 1;
  private double plateauBest = Double.POSITIVE_INFINITY;
  private int plateauEpochs;

  /** @param learningRate the trainer's own */
  EpochMonitor(rs_trainer trainer, Network network, Fit fit, DoubleSupplier learningRate) {
    this.trainer = trainer;
    this.network = network;
    this.fit = fit;
    this.learningRate = learningRate;
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
    double watched = loss;
    epochs++;
    if (fit.validation() != null) {
      watched = validate();
    }
    if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
      watchPlateau(watched);
      state.lr_scale(scale);
    }
    return isOver();
  }

  private boolean isOver() {
    return fit.patience() > 0 && epochsWithoutGain >= fit.patience();
  }

  /** For a checkpoint after so many epochs. */
  CheckpointData.Monitor state() {
    return new CheckpointData.Monitor(
        validationLosses(), bestLoss, bestEpoch, bestParameters == null ? new float[0] : bestParameters, lossToBeat,
        epochsWithoutGain, scale, plateauBest, plateauEpochs);
  }

  /**
   * Goes on from a checkpoint after so many epochs.
   *
   * @return whether the fit had stopped early there
   */
  boolean resume(int epochs, CheckpointData.Monitor monitor, rs_fit state) {
    this.epochs = epochs;
    validationLosses = monitor.validationLosses();
    bestLoss = monitor.bestLoss();
    bestEpoch = Math.toIntExact(monitor.bestEpoch());
    bestParameters = monitor.bestParameters().length == 0 ? null : monitor.bestParameters().clone();
    lossToBeat = monitor.lossToBeat();
    epochsWithoutGain = Math.toIntExact(monitor.epochsWithoutGain());
    scale = monitor.scale();
    plateauBest = monitor.plateauBest();
    plateauEpochs = Math.toIntExact(monitor.plateauEpochs());
    if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
      state.lr_scale(scale);
    }
    return isOver();
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
    return fit.validation() == null ? new double[0] : Arrays.copyOf(validationLosses, epochs);
  }

  /** 1-based; 0 where none was looked for. */
  int bestEpoch() {
    return bestEpoch;
  }

  private double validate() {
    boolean averaged = swapAverage();
    try {
      double loss = fit.validation().evaluate(trainer);
      if (epochs > validationLosses.length) {
        validationLosses = Arrays.copyOf(validationLosses, (int) Math.min(fit.epochs(), 2L * epochs + 16));
      }
      validationLosses[epochs - 1] = loss;
      if (fit.patience() > 0) {
        keepBest(loss);
      }
      return loss;
    } finally {
      if (averaged) {
        swapAverage();
      }
    }
  }

  private void keepBest(double loss) {
    if (loss < bestLoss) {
      bestLoss = loss;
      bestEpoch = epochs;
      if (bestParameters == null) {
        bestParameters = new float[network.parameterCount()];
      }
      Native.check(Engine.rs_trainer_get_parameters(trainer, bestParameters, bestParameters.length));
    }
    boolean gained = loss < lossToBeat - fit.minDelta();
    epochsWithoutGain = gained ? 0 : epochsWithoutGain + 1;
    lossToBeat = gained ? loss : lossToBeat;
  }

  private void watchPlateau(double loss) {
    boolean better = loss < plateauBest * PLATEAU_SHARE;
    plateauBest = better ? loss : plateauBest;
    plateauEpochs = better ? 0 : plateauEpochs + 1;
    if (plateauEpochs > fit.schedule().patience()) {
      plateauEpochs = 0;
      double rate = learningRate.getAsDouble();
      double now = rate * scale;
      double lower = Math.max(now * fit.schedule().factor(), fit.schedule().minLearningRate());
      if (now - lower > LEAST_CHANGE) {
        scale = lower / rate;
      }
    }
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
