package io.ringstep.cli;

import io.ringstep.Loss;
import io.ringstep.Network;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import picocli.CommandLine.Option;

/** What to train on. */
final class DataOptions {
  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = {
        "CSV with a header, .npy, or .npz or .safetensors holding x and y.",
        "Default: the bundled diabetes table, at learning rate 0.02, momentum 0.9, batch 442,"
            + " 2000 epochs and standardized, where you do not say otherwise."
      })
  Path file;

  @Option(
      names = "--target",
      paramLabel = "COLUMN[,COLUMN]",
      split = ",",
      hideParamSyntax = true,
      description = "The columns to predict; all others are inputs. Default: the last ones.")
  List<String> targets = List.of();

  @Option(
      names = "--group-by",
      paramLabel = "COLUMN",
      description =
          "Train a model for each group of rows that have the same text in this column of a CSV file, all at once;"
              + " --standardize and --validation-split then go by group, and a group without rows to validate with trains to"
              + " the end. All are saved in one file, of which predict picks each row's model.")
  String groupBy;

  @Option(
      names = "--standardize",
      description =
          "Train with every column at mean 0 and standard deviation 1; the model file keeps how, and"
              + " predict undoes it. Losses are still in the target's own units.")
  boolean standardize;

  /** @param network as given by the user, or null */
  void requireValid(Network network, Loss.Kind loss) {
    Checks.require(
        targets.stream().noneMatch(String::isBlank), "--target has an empty name; name columns as in a,b");
    Checks.require(
        new HashSet<>(targets).size() == targets.size(),
        "--target " + String.join(",", targets) + " names a column twice; name each once");
    boolean overClasses = loss == Loss.Kind.CROSS_ENTROPY;
    if (network != null && !overClasses && !targets.isEmpty() && targets.size() != network.outputs()) {
      throw new UsageException(
          "--target names " + Text.count(targets.size(), "column") + ", but --network "
              + Text.sizes(network) + " gives " + Text.count(network.outputs(), "output")
              + "; let them agree");
    }
  }
}
