package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.DivergedException;
import io.ringstep.Fit;
import io.ringstep.FitResult;
import io.ringstep.Optimizer;
import io.ringstep.Progress;
import io.ringstep.ProgressListener;
import io.ringstep.RingstepException;
import io.ringstep.Trainer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** Trains the models of a run on the same rows, one after the other. */
final class Ensemble {
  private final TrainCommand options;
  private final StartingPoint start;
  private final ProgressDisplay display;
  private final BooleanSupplier interrupted;
  private final Optional<Checkpoint> checkpoint;
  private final Optional<Communicator> ranks;

  /**
   * @param checkpoint to go on from
   * @param ranks to train with
   */
  Ensemble(
      TrainCommand options, StartingPoint start, ProgressDisplay display, BooleanSupplier interrupted,
      Optional<Checkpoint> checkpoint, Optional<Communicator> ranks) {
    this.options = options;
    this.start = start;
    this.display = display;
    this.interrupted = interrupted;
    this.checkpoint = checkpoint;
    this.ranks = ranks;
  }

  /** The models that were begun: all of them, unless interrupted. */
  List<Trained> train(Dataset rows) {
    List<Trained> trained = new ArrayList<>();
    for (int k = 0; k < options.loop.models && !interrupted.getAsBoolean(); k++) {
      try {
        trained.add(train(k, rows));
      } catch (DivergedException e) {
        String model = options.loop.models > 1 ? "model " + k + ": " : "";
        throw new RingstepException(model + e.getMessage(), e);
      }
    }
    return trained;
  }

  private Trained train(int k, Dataset rows) {
    Optimizer optimizer = options.optimizer.optimizer(options.defaults());
    Fit fit = options.loop.fit(options.defaults(), k);
    Trainer.Builder builder =
        options.loop.place(start.builder(k, options.loop.seed + k).optimizer(optimizer)).expecting(rows.rows(), fit);
    ranks.ifPresent(communicator -> builder.communicator(communicator).reduction(options.loop.reduction));
    try (Trainer trainer = builder.build()) {
      ProgressListener listener =
          progress -> {
            show(k, progress);
            if (interrupted.getAsBoolean()) {
              trainer.cancel();
            }
          };
      FitResult result = trainer.fit(rows, options.checkpoints.apply(fit, checkpoint).onProgress(listener));
      double loss = result.cancelled() ? Double.NaN : finalLoss(trainer, rows, result);
      return new Trained(trainer.model(), result, loss);
    }
  }

  /** The last step may have been the one too far. */
  private static double finalLoss(Trainer trainer, Dataset rows, FitResult result) {
    double loss = trainer.evaluate(rows);
    if (!Double.isFinite(loss)) {
      throw new DivergedException(result.steps() + 1);
    }
    return loss;
  }

  private void show(int k, Progress progress) {
    display.update(
        k * progress.totalSteps() + progress.steps(),
        options.loop.models * progress.totalSteps(),
        progress.loss());
  }
}
