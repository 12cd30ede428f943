package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_ensemble;
import io.ringstep.internal.Native;
import java.util.Arrays;

/**
 * What {@link EpochMonitor} does for one model, for those of an ensemble whose epochs have ended. Those that exchange are as
 * one: what the engine validates and keeps is what they have learned together, and all see the same loss.
 */
final class EnsembleMonitor {
  private final rs_ensemble ensemble;
  private final Fit fit;
  private final Exchange exchange;
  private final RowsByModel validation;
  private final double[] learningRates;
  private final float[] validationScales;
  private final EpochWatch[] watches;

  /**
   * @param validation rows to validate with, or null; a model that has none of them is as one alone without validation
   * @param learningRates each model's own
   */
  EnsembleMonitor(
      rs_ensemble ensemble, Fit fit, Exchange exchange, RowsByModel validation, double[] learningRates) {
    this.ensemble = ensemble;
    this.fit = fit;
    this.exchange = exchange;
    this.validation = validation;
    this.learningRates = learningRates;
    this.validationScales = validation == null ? null : validation.targetScales(learningRates.length);
    this.watches = new EpochWatch[learningRates.length];
    Arrays.setAll(watches, k -> new EpochWatch(fit, validates(k)));
  }

  private boolean validates(int k) {
    return validation != null && validation.rows(k) > 0;
  }

  /** Whether models must pause after every epoch. */
  boolean isNeeded() {
    return validation != null || fit.schedule().kind() == Schedule.Kind.PLATEAU;
  }

  /**
   * Some models have ended an epoch.
   *
   * @param fits of all models; those that stop early have no more epochs to do
   * @param ended [models], not 0 for those that have
   * @param losses [models], of the epochs that ended; here they become those of the validation rows
   */
  void epochsEnded(FitTable fits, int[] ended, double[] losses) {
    if (validation != null) {
      validate(ended, losses);
    } else if (exchange.kind() == Exchange.Kind.AVERAGE) {
      Arrays.fill(losses, mean(losses));
    }
    int[] best = new int[ended.length];
    for (int k = 0; k < ended.length; k++) {
      if (ended[k] == 0) {
        continue;
      }
      best[k] = watches[k].epochEnded(losses[k], learningRates[k]) ? 1 : 0;
      if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
        fits.setLearningRateScale(k, watches[k].scale());
      }
      if (watches[k].isOver()) {
        fits.setEpochs(k, watches[k].epochs());
      }
    }
    Native.check(Engine.rs_ensemble_keep(ensemble, best));
  }

  /** Puts the losses of validation rows in the place of the epochs' own, for models that have such rows. */
  private void validate(int[] ended, double[] losses) {
    int[] which = new int[ended.length];
    Arrays.setAll(which, k -> ended[k] != 0 && validates(k) ? 1 : 0);
    rs_dataset rows = validation.data().acquire();
    try {
      Native.check(
          Engine.rs_ensemble_validate(
              ensemble, rows, validation.firstRows(), validation.counts(), validationScales, which, losses));
    } finally {
      validation.data().release();
    }
  }

  /** Of all ranks' models. */
  private double mean(double[] losses) {
    double[] mean = new double[1];
    Native.check(Engine.rs_ensemble_mean_loss(ensemble, losses, mean));
    return mean[0];
  }

  /**
   * Leaves in the models what was asked for: the best parameters, or the averaged ones.
   *
   * @param failures [models], not 0 for those whose loss was not finite, which stay as they are
   */
  void finish(long[] failures) {
    if (fit.patience() == 0 && fit.average() == Fit.Average.NONE) {
      return;
    }
    int[] sound = new int[failures.length];
    Arrays.setAll(sound, k -> failures[k] == 0 ? 1 : 0);
    Native.check(Engine.rs_ensemble_take(ensemble, sound));
  }

  /** What was seen of model {@code k}. */
  EpochWatch watch(int k) {
    return watches[k];
  }
}
