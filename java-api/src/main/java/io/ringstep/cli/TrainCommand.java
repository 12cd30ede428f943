package io.ringstep.cli;

import io.ringstep.Exchange;
import io.ringstep.Fit;
import io.ringstep.Loss;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;

/** The options of {@code ringstep train}; {@link TrainingRun} does the work. */
@Command(
    name = "train",
    abbreviateSynopsis = true,
    description = {
      "Trains a network of Linear layers to the least mean squared error, or another --loss.",
      "Without --data it trains Linear(10->20->1) on a bundled table of 442 diabetes patients, with"
          + " settings that suit it, and says how close it came to the least-squares optimum.",
    },
    footer = {
      "%nExamples:",
      "  Train on the bundled table:",
      "    ringstep train",
      "  Predict the column 'price' from all others, and keep the model:",
      "    ringstep train --data houses.csv --target price --network 8,32,1 --activation relu \\",
      "        --optimizer adam --lr 0.001 --epochs 200 --standardize --save houses.safetensors",
      "  Go on from there, at a lower learning rate:",
      "    ringstep train --data houses.csv --target price --init houses.safetensors \\",
      "        --optimizer adam --lr 0.0001 --save houses.safetensors",
      "  Tell classes apart, stop where rows not trained on no longer gain, keep the best weights:",
      "    ringstep train --data iris.csv --target species --network 4,16,3 --activation tanh \\",
      "        --loss cross-entropy --optimizer adam --standardize --validation-split 0.2 --patience 20 \\",
      "        --save iris.safetensors",
      "  Train four models from seeds 7 to 10, stacked in one file:",
      "    ringstep train --data houses.csv --target price --models 4 --seed 7 --save four.safetensors",
    })
final class TrainCommand implements Action {
  @ArgGroup(validate = false, heading = "%nData:%n", order = 1)
  DataOptions data = new DataOptions();

  @ArgGroup(validate = false, heading = "%nNetwork:%n", order = 2)
  NetworkOptions network = new NetworkOptions();

  @ArgGroup(validate = false, heading = "%nOptimizer:%n", order = 3)
  OptimizerOptions optimizer = new OptimizerOptions();

  @ArgGroup(validate = false, heading = "%nLoss and penalties:%n", order = 4)
  LossOptions loss = new LossOptions();

  @ArgGroup(validate = false, heading = "%nTraining:%n", order = 5)
  LoopOptions loop = new LoopOptions();

  @ArgGroup(validate = false, heading = "%nSchedule and averages:%n", order = 6)
  ScheduleOptions schedule = new ScheduleOptions();

  @ArgGroup(validate = false, heading = "%nValidation:%n", order = 7)
  ValidationOptions validation = new ValidationOptions();

  @ArgGroup(validate = false, heading = "%nCheckpoints:%n", order = 8)
  CheckpointOptions checkpoints = new CheckpointOptions();

  @ArgGroup(validate = false, heading = "%nOutput:%n", order = 9)
  OutputOptions output = new OutputOptions();

  @Override
  public int run(Console console) throws Exception {
    requireValid();
    if (data.groupBy != null) {
      return new GroupedRun(this, console).run();
    }
    return new TrainingRun(this, console).run();
  }

  /** What the user left open: the bundled table has settings that suit it. */
  Defaults defaults() {
    return data.file == null ? DiabetesExample.DEFAULTS : Defaults.GENERAL;
  }

  /**
   * Whether the models may train side by side, as an ensemble: always where they exchange or take steps alone; with
   * validation and the like where there is one for each rank.
   */
  boolean trainsTogether() {
    boolean fitsRanks = models() >= RankSession.worldSize(System.getenv());
    return models() > 1 && (exchanges() || takesStepsAlone() || fitsRanks);
  }

  boolean exchanges() {
    return !loop.exchange.equals(Exchange.never());
  }

  /** Whether nothing is asked for but steps of a network as it is. */
  private boolean takesStepsAlone() {
    return !validation.isAskedFor() && loss.dropout == 0 && schedule.isOfStepsAlone();
  }

  boolean standardize() {
    return data.standardize || defaults().standardize();
  }

  /** Everything that can be refused before a file is read. */
  void requireValid() {
    data.requireValid(network.network, loss.kind);
    optimizer.requireValid(defaults());
    loss.requireValid();
    requireExchangeOfAnEnsemble();
    loop.requireValid();
    schedule.requireValid();
    validation.requireValid(loop.models);
    network.requireValid(models());
    checkpoints.requireValid(models());
    output.requireValid(models(), data.file);
    Checks.require(
        data.file != null || validation.file == null, "--validation goes with --data; give both, or --validation-split");
    if (data.groupBy != null) {
      Checks.require(data.file != null, "--group-by goes with --data; give both");
      Checks.require(loop.models == 1, "--group-by trains one model a group; leave --models out");
      Checks.require(network.init.isEmpty(), "--group-by starts from random weights; leave --init out");
      Checks.require(
          validation.folds == null && loss.weights == null && !loss.loss(Loss.MSE).isClassifier(),
          "--group-by goes with none of --folds, --weights, --loss bce and --loss cross-entropy");
      Checks.require(
          checkpoints.directory == null && output.plot == null && output.report == null,
          "--group-by goes with none of --checkpoint, --plot and --report");
      Checks.require(output.save.size() <= 1, "--save of --group-by names one file, which holds all models");
    }
    Checks.require(
        !loop.collapse || models() == 1 && data.groupBy == null,
        "--collapse is for one model; it goes with none of --models, --folds and --group-by");
    Checks.require(data.file != null || loss.weights == null, "--weights goes with --data; give both");
  }

  private void requireExchangeOfAnEnsemble() {
    Checks.require(!exchanges() || data.groupBy == null, "--exchange is between models of the same rows; with --group-by leave it out");
    Checks.require(
        !exchanges() || validation.folds == null,
        "--exchange goes with --validation and --validation-split, not with --folds: models would learn from the rows that"
            + " validate them");
    Checks.require(!exchanges() || loss.dropout == 0, "--exchange does not go with --dropout; leave one of them out");
    int ranks = RankSession.worldSize(System.getenv());
    Checks.require(
        models() == 1 || !trainsTogether() || models() >= ranks,
        "--models " + models() + " are fewer than the " + ranks + " ranks to share them; start fewer ranks");
  }

  /** Models to train: each fold has one. */
  int models() {
    return validation.folds == null ? loop.models : validation.folds;
  }

  /** What model {@code k} does. */
  Fit fit(int k) {
    return schedule.applyTo(loop.fit(defaults(), k));
  }
}
