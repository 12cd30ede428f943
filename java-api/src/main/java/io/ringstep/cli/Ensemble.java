package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.DivergedException;
import io.ringstep.EnsembleResult;
import io.ringstep.Exchange;
import io.ringstep.Fit;
import io.ringstep.FitResult;
import io.ringstep.Model;
import io.ringstep.Progress;
import io.ringstep.ProgressListener;
import io.ringstep.RingstepException;
import io.ringstep.Trainer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.DoubleStream;
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

  /** Of several ranks each trains its share; all then have the results of all. */
  private List<Trained> trainTogether(Dataset rows) {
    int rank = ranks.map(Communicator::rank).orElse(0);
    int world = ranks.map(Communicator::worldSize).orElse(1);
    int first = (int) ((long) options.models() * rank / world);
    int end = (int) ((long) options.models() * (rank + 1) / world);
    try (io.ringstep.Ensemble ensemble = build(builder(options, start, first, end, rows.rows()))) {
      EnsembleResult result = fit(ensemble, rows, first);
      double[] losses = result.cancelled() ? null : ensemble.evaluate(rows);
      return trained(ensemble, result, losses);
    }
  }

  /** Of models {@code first} to {@code end}, without the latter, that train side by side on {@code rows} rows. */
  static io.ringstep.Ensemble.Builder builder(
      TrainCommand options, StartingPoint start, int first, int end, long rows) {
    LossOptions loss = options.loss;
    io.ringstep.Ensemble.Builder builder =
        (start.models().isEmpty()
                ? io.ringstep.Ensemble.builder(start.network(), end - first)
                : io.ringstep.Ensemble.builder(start.models().subList(first, end)))
            .seed(options.loop.seed + first).loss(start.loss()).optimizer(options.optimizer.optimizer(options.defaults()))
            .device(options.loop.device).expecting(rows, options.fit(0)).exchange(options.loop.exchange).l1(loss.l1);
    if (loss.clipNorm != null) {
      builder.clipNorm(loss.clipNorm);
    }
    if (loss.clipValue != null) {
      builder.clipValue(loss.clipValue);
    }
    return builder;
  }

  static io.ringstep.Ensemble build(io.ringstep.Ensemble.Builder builder) {
    try {
      return builder.build();
    } catch (IllegalArgumentException e) {
      throw new UsageException(e.getMessage());
    }
  }

  private EnsembleResult fit(io.ringstep.Ensemble ensemble, Dataset rows, int first) {
    Optional<Meeting> meeting = ranks.map(Meeting::new);
    Fit fit =
        options.fit(0).onProgress(
            progress -> {
              display.update(progress.steps(), progress.totalSteps(), progress.loss());
              boolean stop = interrupted.getAsBoolean();
              if (meeting.map(all -> all.stops(stop)).orElse(stop)) {
                ensemble.cancel();
              }
            });
    // With gradients exchanged all models are one, and have its order.
    boolean ownOrders = options.loop.shuffle && !options.loop.exchange.equals(Exchange.gradient());
    long[] orders = LongStream.range(0, ensemble.size()).map(k -> options.loop.seed + first + k).toArray();
    EnsembleResult result = ownOrders ? ensemble.fit(rows, fit, orders) : ensemble.fit(rows, fit);
    meeting.ifPresent(all -> all.awaitEnd(interrupted));
    return result;
  }

  private List<Trained> trained(io.ringstep.Ensemble ensemble, EnsembleResult own, double[] ownLosses) {
    EnsembleResult result = ranks.map(own::gather).orElse(own);
    List<Model> models = ranks.map(ensemble::gatherModels).orElseGet(ensemble::models);
    double[] losses = ranks.map(communicator -> gather(communicator, own, ownLosses)).orElse(ownLosses);
    List<Trained> trained = new ArrayList<>();
    for (int k = 0; k < models.size(); k++) {
      EnsembleResult.OfModel model = result.model(k);
      boolean sound = result.cancelled() || Double.isFinite(losses[k]);
      if (model.divergedAt().isPresent() || !sound) {
        DivergedException e = new DivergedException(model.divergedAt().orElse(model.steps() + 1));
        throw new RingstepException("model " + k + ": " + e.getMessage(), e);
      }
      trained.add(new Trained(models.get(k), model.toFitResult(), result.cancelled() ? Double.NaN : losses[k], Double.NaN));
    }
    return trained;
  }

  /** Each model's final loss, over all ranks; NaN for those of a rank that was interrupted. */
  private static double[] gather(Communicator communicator, EnsembleResult own, double[] losses) {
    ByteBuffer bytes = ByteBuffer.allocate(own.models().size() * Double.BYTES);
    for (int k = 0; k < own.models().size(); k++) {
      bytes.putDouble(losses == null ? Double.NaN : losses[k]);
    }
    return communicator.allGather(bytes.array()).stream()
        .flatMapToDouble(part -> DoubleStream.generate(ByteBuffer.wrap(part)::getDouble).limit(part.length / Double.BYTES))
        .toArray();
  }

  /**
   * Ranks that train models of their own meet every few milliseconds, so that all stop where one is interrupted, and
   * none takes another for lost that only has more to do.
   */
  private static final class Meeting {
    private final Communicator ranks;

    Meeting(Communicator ranks) {
      this.ranks = ranks;
    }

    /** Whether some rank wants to stop; from one that trains. */
    boolean stops(boolean stop) {
      return meet(true, stop)[1] > 0;
    }

    /** Meets for as long as some rank trains; from one that does not. */
    void awaitEnd(BooleanSupplier stop) {
      while (meet(false, stop.getAsBoolean())[0] > 0) {}
    }

    /** How many ranks train, and how many want to stop. */
    private float[] meet(boolean trains, boolean stop) {
      float[] counts = {trains ? 1 : 0, stop ? 1 : 0};
      ranks.allReduce(counts);
      return counts;
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
