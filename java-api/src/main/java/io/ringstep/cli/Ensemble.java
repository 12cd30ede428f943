package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.DivergedException;
import io.ringstep.EnsembleResult;
import io.ringstep.Exchange;
import io.ringstep.Fit;
import io.ringstep.FitResult;
import io.ringstep.Model;
import io.ringstep.Progress;
import io.ringstep.ProgressListener;
import io.ringstep.Ranks;
import io.ringstep.RingstepException;
import io.ringstep.Split;
import io.ringstep.Trainer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** Trains the models of a run: side by side, or where only a trainer can, one after the other. */
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

  /**
   * Whether the models train side by side: on a GPU where its ensembles have all that is asked for. Models that exchange must,
   * and are refused otherwise; others then train one after the other.
   */
  static boolean trainsTogether(TrainCommand options, StartingPoint start, TrainingData data, Optional<Communicator> ranks) {
    if (!options.trainsTogether() || options.exchanges()) {
      return options.trainsTogether();
    }
    Device device = options.loop.device;
    if (!device.toString().startsWith("cuda")) {
      return true;
    }
    return device.gpus() == 1 && builder(options, start, 0, options.models(), data.partition(0), ranks).beyondGpu().isEmpty();
  }

  /** The models that were begun: all of them, unless interrupted. */
  List<Trained> train(TrainingData data) {
    if (trainsTogether(options, start, data, ranks)) {
      return trainTogether(data);
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
  private List<Trained> trainTogether(TrainingData data) {
    int rank = ranks.map(Communicator::rank).orElse(0);
    int world = ranks.map(Communicator::worldSize).orElse(1);
    int first = (int) ((long) options.models() * rank / world);
    int end = (int) ((long) options.models() * (rank + 1) / world);
    List<Partition> rows = IntStream.range(first, end).mapToObj(data::partition).toList();
    try (io.ringstep.Ensemble ensemble = build(builder(options, start, first, end, rows.get(0), ranks))) {
      EnsembleResult result = fit(ensemble, rows, first);
      boolean validated = rows.get(0).validation() != null;
      double[] losses = result.cancelled() ? null : ensemble.evaluate(rows.stream().map(Partition::training).toList());
      double[] validation =
          result.cancelled() || !validated ? null : ensemble.evaluate(rows.stream().map(Partition::validation).toList());
      return trained(ensemble, result, losses, validation);
    }
  }

  /**
   * Of models {@code first} to {@code end}, without the latter, that train side by side.
   *
   * @param rows those of the first of them
   * @param ranks to exchange with
   */
  static io.ringstep.Ensemble.Builder builder(
      TrainCommand options, StartingPoint start, int first, int end, Partition rows, Optional<Communicator> ranks) {
    LossOptions loss = options.loss;
    io.ringstep.Ensemble.Builder builder =
        (start.models().isEmpty()
                ? io.ringstep.Ensemble.builder(start.network(), end - first)
                : io.ringstep.Ensemble.builder(start.models().subList(first, end)))
            .seed(options.loop.seed + first).loss(start.loss()).optimizer(options.optimizer.optimizer(options.defaults()))
            .device(options.loop.device).expecting(rows.training().rows(), validated(options, options.fit(0), rows)).exchange(options.loop.exchange);
    ranks.ifPresent(builder::communicator);
    loss.shape(builder, seeds(options, first, end));
    return builder;
  }

  /** Of models {@code first} to {@code end}: of their dropout as of their orders of rows. */
  static long[] seeds(TrainCommand options, int first, int end) {
    return LongStream.range(first, end).map(k -> options.loop.seed + k).toArray();
  }

  private static Fit validated(TrainCommand options, Fit fit, Partition rows) {
    return rows.validation() == null ? fit : options.validation.applyTo(fit.validation(rows.validation()));
  }

  static io.ringstep.Ensemble build(io.ringstep.Ensemble.Builder builder) {
    try {
      return builder.build();
    } catch (IllegalArgumentException e) {
      throw new UsageException(e.getMessage());
    }
  }

  private EnsembleResult fit(io.ringstep.Ensemble ensemble, List<Partition> rows, int first) {
    // Ranks that exchange meet anyway, and agree on an end.
    boolean exchanges = !options.loop.exchange.equals(Exchange.never());
    Optional<Meeting> meeting = exchanges ? Optional.empty() : ranks.map(Meeting::new);
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
    long[] orders = ownOrders ? seeds(options, first, first + ensemble.size()) : null;
    EnsembleResult result = options.validation.folds == null ? fit(ensemble, rows.get(0), fit, orders) : fit(ensemble, rows, fit, orders);
    meeting.ifPresent(all -> all.awaitEnd(interrupted));
    return result;
  }

  /** All models on the same rows. */
  private EnsembleResult fit(io.ringstep.Ensemble ensemble, Partition rows, Fit fit, long[] orders) {
    Fit validated = validated(options, fit, rows);
    return orders == null ? ensemble.fit(rows.training(), validated) : ensemble.fit(rows.training(), validated, orders);
  }

  /** Each model on rows of its own. */
  private EnsembleResult fit(io.ringstep.Ensemble ensemble, List<Partition> rows, Fit fit, long[] orders) {
    List<Split> splits = rows.stream().map(own -> new Split(own.training(), own.validation())).toList();
    Fit stopping = options.validation.applyTo(fit);
    return orders == null ? ensemble.fit(splits, stopping) : ensemble.fit(splits, stopping, orders);
  }

  /** @param ownLosses null where it was interrupted, as {@code ownValidation}, which is null without validation too */
  private List<Trained> trained(
      io.ringstep.Ensemble ensemble, EnsembleResult own, double[] ownLosses, double[] ownValidation) {
    EnsembleResult result = ranks.map(own::gather).orElse(own);
    List<Model> models = ranks.map(ensemble::gatherModels).orElseGet(ensemble::models);
    double[] losses = gather(own, ownLosses);
    double[] validation = gather(own, ownValidation);
    List<Trained> trained = new ArrayList<>();
    for (int k = 0; k < models.size(); k++) {
      EnsembleResult.OfModel model = result.model(k);
      boolean sound = result.cancelled() || Double.isFinite(losses[k]);
      if (model.divergedAt().isPresent() || !sound) {
        DivergedException e = new DivergedException(model.divergedAt().orElse(model.steps() + 1));
        throw new RingstepException("model " + k + ": " + e.getMessage(), e);
      }
      trained.add(
          new Trained(
              models.get(k), model.toFitResult(), result.cancelled() ? Double.NaN : losses[k],
              result.cancelled() ? Double.NaN : validation[k]));
    }
    return trained;
  }

  /** Each model's loss, over all ranks; NaN for those of a rank that has null. */
  private double[] gather(EnsembleResult own, double[] losses) {
    double[] known = losses == null ? DoubleStream.generate(() -> Double.NaN).limit(own.models().size()).toArray() : losses;
    return ranks.map(communicator -> Gathering.doubles(communicator, known)).orElse(known);
  }

  /** On several GPUs of this process, a thread each, as ranks: all end with the same weights. */
  private Trained train(int k, Partition rows) {
    Device device = options.loop.device;
    if (ranks.isPresent() || device.gpus() < 2) {
      return train(k, rows, ranks, device);
    }
    return Ranks.onThreads(
            device.gpus(), gpu -> train(k, rows, Optional.of(gpu), device.forRank(gpu.rank())))
        .get(0);
  }

  private Trained train(int k, Partition rows, Optional<Communicator> ranks, Device device) {
    boolean leads = ranks.map(Communicator::rank).orElse(0) == 0;
    Trainer.Builder builder = start.trainer(options, k, rows.training()).device(device);
    ranks.ifPresent(communicator -> builder.communicator(communicator).reduction(options.loop.reduction));
    Fit fit = options.checkpoints.apply(validated(options, options.fit(k), rows), checkpoint);
    try (Trainer trainer = builder.build()) {
      ProgressListener listener =
          progress -> {
            if (leads) {
              show(k, progress);
            }
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
