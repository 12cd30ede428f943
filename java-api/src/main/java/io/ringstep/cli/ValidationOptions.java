package io.ringstep.cli;

import io.ringstep.Fit;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What the models are tried on that they have not seen, and when that ends the training. */
final class ValidationOptions {
  @Option(
      names = "--validation",
      paramLabel = "FILE",
      description = "Rows to validate with after every epoch, with the columns of --data.")
  Path file;

  @Option(
      names = "--validation-split",
      paramLabel = "R",
      description = "Or take this share of the rows of --data, drawn from --seed, from training.")
  Double split;

  @Option(
      names = "--folds",
      paramLabel = "K",
      description =
          "Or train K models, model k on all rows but the k-th of K parts, drawn from --seed, which it is validated with.")
  Integer folds;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description =
          "Stop after N epochs in a row that did not lower the validation loss, and keep the weights of the epoch with the"
              + " lowest. Default: train to the end, keep the last.")
  Integer patience;

  @Option(
      names = "--min-delta",
      paramLabel = "R",
      description = "What counts as lower, for --patience: by more than R. Default: 0.")
  Double minDelta;

  void requireValid(int models) {
    int ways = (file == null ? 0 : 1) + (split == null ? 0 : 1) + (folds == null ? 0 : 1);
    Checks.require(ways <= 1, "--validation, --validation-split and --folds exclude each other; give one");
    Checks.require(
        split == null || split > 0 && split < 1, "--validation-split must be above 0 and below 1, but is " + split);
    Checks.require(folds == null || folds >= 2, "--folds must be at least 2, but is " + folds);
    Checks.require(
        folds == null || models == 1, "--folds trains a model for each fold; leave --models out");
    Checks.require(
        patience == null || ways == 1,
        "--patience needs --validation, --validation-split or --folds");
    Checks.require(minDelta == null || patience != null, "--min-delta is for --patience; give that too");
    if (patience != null) {
      Checks.requireAtLeastOne("--patience", patience);
    }
    if (minDelta != null) {
      Checks.requireNonNegative("--min-delta", minDelta);
    }
  }

  boolean isAskedFor() {
    return file != null || split != null || folds != null;
  }

  Fit applyTo(Fit fit) {
    return patience == null ? fit : fit.earlyStopping(patience, minDelta == null ? 0 : minDelta);
  }

  /** For example {@code , validated by 5 folds, patience 20}; empty where nothing is asked for. */
  String describe() {
    if (!isAskedFor()) {
      return "";
    }
    String by = file != null ? "on " + file : split != null ? "on " + split + " of the rows" : "by " + folds + " folds";
    return ", validated " + by + (patience == null ? "" : ", patience " + patience);
  }
}
