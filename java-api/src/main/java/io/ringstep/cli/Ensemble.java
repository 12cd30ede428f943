package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.DivergedException;
import io.ringstep.EnsembleResult;
import io.ringstep.Exchange;
import io.ringstep.Fit;
import io.ringstep.FitResult;
import io.ringstep.Progress;
import io.ringstep.ProgressListener;
import io.ringstep.RingstepException;
import io.ringstep.Trainer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;

/** Trains the models of a run: side by side where an ensemble can, else one after the other. */
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
  List<Trained> train(TrainingData data) {
    if (options.trainsTogether()) {
      return trainTogether(data.partition(0).training());
    }
    List<Trained> trained = new ArrayList<>();
    for (int k = 0; k < options.models() && !interrupted.getAsBoolean(); k++) {
      try {
        trained.add(train(k, data.partition(k)));
      } catch (DivergedException e) {
        String model = options.models() > 1 ? "model " + k + ": " : "";
        throw new RingstepException(model + e.getMessage(), e);
      }
    }
    return trained;
  }

  private List<Trained> trainTogether(Dataset rows) {
    int models = options.models();
    LossOptions loss = options.loss;
    io.ringstep.Ensemble.Builder builder =
        (start.models().isEmpty()
                ? io.ringstep.Ensemble.builder(start.network(), models)
                : io.ringstep.Ensemble.builder(start.models()))
            .seed(options.loop.seed).loss(start.loss()).optimizer(options.optimizer.optimizer(options.defaults()))
            .device(options.loop.device).exchange(options.loop.exchange).l1(loss.l1);
    if (loss.clipNorm != null) {
      builder.clipNorm(loss.clipNorm);
    }
    if (loss.clipValue != null) {
      builder.clipValue(loss.clipValue);
    }
    try (io.ringstep.Ensemble ensemble = builder.build()) {
      Fit fit =
          options.fit(0).onProgress(
              progress -> {
                display.update(progress.steps(), progress.totalSteps(), progress.loss());
                if (interrupted.getAsBoolean()) {
                  ensemble.cancel();
                }
              });
      // With gradients exchanged all models are one, and have its order.
      boolean ownOrders = options.loop.shuffle && !options.loop.exchange.equals(Exchange.gradient());
      long[] orders = LongStream.range(0, models).map(k -> options.loop.seed + k).toArray();
      EnsembleResult result = ownOrders ? ensemble.fit(rows, fit, orders) : ensemble.fit(rows, fit);
      double[] losses = result.cancelled() ? null : ensemble.evaluate(rows);
      List<Trained> trained = new ArrayList<>();
      for (int k = 0; k < models; k++) {
        EnsembleResult.OfModel own = result.model(k);
        boolean sound = losses == null || Double.isFinite(losses[k]);
        if (own.divergedAt().isPresent() || !sound) {
          DivergedException e = new DivergedException(own.divergedAt().orElse(own.steps() + 1));
          throw new RingstepException("model " + k + ": " + e.getMessage(), e);
        }
        trained.add(
            new Trained(ensemble.model(k), own.toFitResult(), losses == null ? Double.NaN : losses[k], Double.NaN));
      }
      return trained;
    }
  }

  private Trained train(int k, Partition rows) {
    Trainer.Builder builder = start.trainer(options, k, rows.training());
    ranks.ifPresent(communicator -> builder.communicator(communicator).reduction(options.loop.reduction));
    Fit settings = options.fit(k);
    if (rows.validation() != null) {
      settings = options.validation.applyTo(settings.validation(rows.validation()));
    }
    Fit fit = options.checkpoints.apply(settings, checkpoint);
    try (Trainer trainer = builder.build()) {
      ProgressListener listener =
          progress -> {
            show(k, progress);
            if (interrupted.getAsBoolean()) {
              trainer.cancel();
            }
          };
      FitResult result = trainer.fit(rows.training(), fit.onProgress(listener));
      if (result.cancelled()) {
        return new Trained(trainer.model(), result, Double.NaN, Double.NaN);
      }
      double finalLoss = finalLoss(trainer, rows.training(), result);
      double validated = rows.validation() == null ? Double.NaN : trainer.evaluate(rows.validation());
      return new Trained(trainer.model(), result, finalLoss, validated);
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
        options.models() * progress.totalSteps(),
        progress.loss());
  }
}
