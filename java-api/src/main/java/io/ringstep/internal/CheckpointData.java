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
    Model model, float[] moments, Optimizer optimizer, Position position, Map<String, String> settings) {

  /** What the optimizer remembers beside its moments. */
  public record Optimizer(long steps, double beta1Power, double beta2Power) {}

  /**
   * How far the training has come.
   *
   * @param epoch whole epochs done
   * @param row rows of the current epoch done
   * @param steps steps done
   * @param lossSum sum of squared errors over the rows of the current epoch done
   * @param losses mean loss of each whole epoch
   */
  public record Position(long epoch, long row, long steps, double lossSum, double[] losses) {}
}
