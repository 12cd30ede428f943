package io.ringstep.internal;

import io.ringstep.Model;
import java.util.Map;

/**
 * All that a training needs to go on with the same bits.
 *
 * @param moments of the optimizer, [vectors][parameters]; see {@code rs_trainer_get_state}
 * @param settings what must be the same when it goes on, by name
 */
public record CheckpointData(
    Model model, float[] moments, Optimizer optimizer, Average average, Position position, Monitor monitor,
    Map<String, String> settings) {

  /** What the optimizer remembers beside its moments. */
  public record Optimizer(long steps, double beta1Power, double beta2Power, double learningRate) {}

  /**
   * The average of the parameters that the training keeps.
   *
   * @param parameters [parameters]; empty where there is none yet
   * @param count how many parameters it is of
   */
  public record Average(float[] parameters, long count) {}

  /**
   * What decides when to stop, what to keep and when to lower the learning rate.
   *
   * @param validationLosses of each whole epoch; empty without validation rows
   * @param bestEpoch 1-based; 0 where there is none
   * @param bestParameters [parameters]; empty where there are none
   * @param lossToBeat by min delta, to count as a gain
   * @param scale of the learning rate
   */
  public record Monitor(
      double[] validationLosses, double bestLoss, long bestEpoch, float[] bestParameters, double lossToBeat,
      long epochsWithoutGain, double scale, double plateauBest, long plateauEpochs) {}

  /**
   * How far the training has come.
   *
   * @param epoch whole epochs done
   * @param row rows of the current epoch done
   * @param steps steps done
   * @param lossSum sum of squared errors over the rows of the current epoch done
   * @param weightSum sum of the sample weights of those rows
   * @param losses mean loss of each whole epoch
   */
  public record Position(long epoch, long row, long steps, double lossSum, double weightSum, double[] losses) {}
}
