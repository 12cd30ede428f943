package io.ringstep;

import io.ringstep.internal.CheckpointData;
import java.util.Arrays;

/** What is decided about one model between two epochs: which of them was the best, the learning rate, an early end. */
final class EpochWatch {
  /** Of PyTorch's {@code ReduceLROnPlateau}: what is no smaller than this share of the best is no better. */
  private static final double PLATEAU_SHARE = 1 - 1e-4;

  /** Likewise: a learning rate that would change by less stays. */
  private static final double LEAST_CHANGE = 1e-8;

  private static final double[] NONE = {};

  private final Fit fit;
  private final boolean validates;
  private double[] validationLosses = NONE;
  private int epochs;

  private double bestLoss = Double.POSITIVE_INFINITY;
  private int bestEpoch;
  private double lossToBeat = Double.POSITIVE_INFINITY;
  private int epochsWithoutGain;

  private double scale = 1;
  private double plateauBest = Double.POSITIVE_INFINITY;
  private int plateauEpochs;

  /** @param validates whether the loss that is watched is that of validation rows */
  EpochWatch(Fit fit, boolean validates) {
    this.fit = fit;
    this.validates = validates;
  }

  /**
   * An epoch has ended.
   *
   * @param loss that of the validation rows, or where there are none the epoch's own
   * @param learningRate the model's own
   * @return whether its parameters are to be kept, as the best so far
   */
  boolean epochEnded(double loss, double learningRate) {
    epochs++;
    boolean best = false;
    if (validates) {
      keep(loss);
      best = fit.patience() > 0 && watchGain(loss);
    }
    if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
      watchPlateau(loss, learningRate);
    }
    return best;
  }

  private void keep(double loss) {
    if (epochs > validationLosses.length) {
      validationLosses = Arrays.copyOf(validationLosses, (int) Math.min(fit.epochs(), 2L * epochs + 16));
    }
    validationLosses[epochs - 1] = loss;
  }

  private boolean watchGain(double loss) {
    boolean best = loss < bestLoss;
    if (best) {
      bestLoss = loss;
      bestEpoch = epochs;
    }
    boolean gained = loss < lossToBeat - fit.minDelta();
    epochsWithoutGain = gained ? 0 : epochsWithoutGain + 1;
    lossToBeat = gained ? loss : lossToBeat;
    return best;
  }

  private void watchPlateau(double loss, double learningRate) {
    boolean better = loss < plateauBest * PLATEAU_SHARE;
    plateauBest = better ? loss : plateauBest;
    plateauEpochs = better ? 0 : plateauEpochs + 1;
    if (plateauEpochs > fit.schedule().patience()) {
      plateauEpochs = 0;
      double now = learningRate * scale;
      double lower = Math.max(now * fit.schedule().factor(), fit.schedule().minLearningRate());
      if (now - lower > LEAST_CHANGE) {
        scale = lower / learningRate;
      }
    }
  }

  /** Whether patience has run out. */
  boolean isOver() {
    return fit.patience() > 0 && epochsWithoutGain >= fit.patience();
  }

  /** Epochs that have ended. */
  int epochs() {
    return epochs;
  }

  /** What a plateau multiplies the learning rate by. */
  double scale() {
    return scale;
  }

  /** Of every epoch so far; empty where nothing is validated. */
  double[] validationLosses() {
    return validates ? Arrays.copyOf(validationLosses, epochs) : NONE;
  }

  /** 1-based; 0 where none was looked for. */
  int bestEpoch() {
    return bestEpoch;
  }

  /** For a checkpoint. */
  CheckpointData.Monitor state(float[] bestParameters) {
    return new CheckpointData.Monitor(
        validationLosses(), bestLoss, bestEpoch, bestParameters == null ? new float[0] : bestParameters, lossToBeat,
        epochsWithoutGain, scale, plateauBest, plateauEpochs);
  }

  /** Goes on from a checkpoint after so many epochs. */
  void resume(int epochs, CheckpointData.Monitor monitor) {
    this.epochs = epochs;
    validationLosses = monitor.validationLosses();
    bestLoss = monitor.bestLoss();
    bestEpoch = Math.toIntExact(monitor.bestEpoch());
    lossToBeat = monitor.lossToBeat();
    epochsWithoutGain = Math.toIntExact(monitor.epochsWithoutGain());
    scale = monitor.scale();
    plateauBest = monitor.plateauBest();
    plateauEpochs = Math.toIntExact(monitor.plateauEpochs());
  }
}
