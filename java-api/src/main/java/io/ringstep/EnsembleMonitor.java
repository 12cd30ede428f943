package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_ensemble;
import io.ringstep.engine.Engine.rs_fit;
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
   * @param validation rows to validate with, or null
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
    Arrays.setAll(watches, k -> new EpochWatch(fit, validation != null));
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
   * @param losses [models], of the epochs that ended
   */
  void epochsEnded(rs_fit fits, int[] ended, double[] losses) {
    double[] watched = validation != null ? validate(ended) : exchange.kind() == Exchange.Kind.AVERAGE ? mean(losses) : losses;
    int[] best = new int[ended.length];
    for (int k = 0; k < ended.length; k++) {
      if (ended[k] == 0) {
        continue;
      }
      best[k] = watches[k].epochEnded(watched[k], learningRates[k]) ? 1 : 0;
      fits.position(k);
      if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
        fits.lr_scale(watches[k].scale());
      }
      if (watches[k].isOver()) {
        fits.epochs(watches[k].epochs());
      }
    }
    Native.check(Engine.rs_ensemble_keep(ensemble, best));
  }

  private double[] validate(int[] which) {
    double[] losses = new double[which.length];
    rs_dataset rows = validation.data().acquire();
    try {
      Native.check(
          Engine.rs_ensemble_validate(
              ensemble, rows, validation.firstRows(), validation.counts(), validationScales, which, losses));
    } finally {
      validation.data().release();
    }
    return losses;
  }

  /** For each model, that of all ranks' models. */
  private double[] mean(double[] losses) {
    double[] mean = new double[1];
    Native.check(Engine.rs_ensemble_mean_loss(ensemble, losses, mean));
    double[] all = new double[losses.length];
    Arrays.fill(all, mean[0]);
    return all;
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
