package io.ringstep.cli;

import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;

/** The options of {@code ringstep train}; {@link TrainingRun} does the work. */
@Command(
    name = "train",
    abbreviateSynopsis = true,
    description = {
      "Trains a network of Linear layers to the least mean squared error.",
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

  @ArgGroup(validate = false, heading = "%nTraining:%n", order = 4)
  LoopOptions loop = new LoopOptions();

  @ArgGroup(validate = false, heading = "%nCheckpoints:%n", order = 5)
  CheckpointOptions checkpoints = new CheckpointOptions();

  @ArgGroup(validate = false, heading = "%nOutput:%n", order = 6)
  OutputOptions output = new OutputOptions();

  @Override
  public int run(Console console) throws Exception {
    requireValid();
    return new TrainingRun(this, console).run();
  }

  /** What the user left open: the bundled table has settings that suit it. */
  Defaults defaults() {
    return data.file == null ? DiabetesExample.DEFAULTS : Defaults.GENERAL;
  }

  boolean standardize() {
    return data.standardize || defaults().standardize();
  }

  /** Everything that can be refused before a file is read. */
  void requireValid() {
    data.requireValid(network.network);
    optimizer.requireValid(defaults());
    loop.requireValid();
    network.requireValid(loop.models);
    checkpoints.requireValid(loop.models);
    output.requireValid(loop.models, data.file);
  }
}
