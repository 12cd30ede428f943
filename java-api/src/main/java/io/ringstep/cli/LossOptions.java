package io.ringstep.cli;

import io.ringstep.Loss;
import java.util.Locale;
import picocli.CommandLine.Option;

/** What is made small, and what keeps the weights small. */
final class LossOptions {
  @Option(
      names = "--loss",
      paramLabel = "mse|mae|huber|bce|cross-entropy",
      description = {
        "What to make small: squared, absolute or Huber's error; or for classes, bce, of targets from 0 to 1 and one"
            + " output each, or cross-entropy, of one target column whose different texts are the classes, and one"
            + " output a class. Default: that of --init, else mse.",
      })
  Loss.Kind kind;

  @Option(names = "--huber-delta", paramLabel = "R", description = "Where huber turns from squared to absolute. Default: 1.")
  Double delta;

  @Option(
      names = "--weights",
      paramLabel = "COLUMN",
      description =
          "The CSV column, or the array, with a weight for each row, at least 0; it is no input. Losses become weighted"
              + " means.")
  String weights;

  @Option(
      names = "--l1",
      paramLabel = "R",
      description = "L1 penalty; with --weight-decay, an elastic net. Default: 0.")
  double l1;

  @Option(
      names = "--clip-norm",
      paramLabel = "R",
      description = "Scale each step's gradient down to this norm. Default: not clipped.")
  Double clipNorm;

  @Option(
      names = "--clip-value",
      paramLabel = "R",
      description = "Keep each element of the gradient within +-R. Default: not clipped.")
  Double clipValue;

  @Option(
      names = "--dropout",
      paramLabel = "P",
      description =
          "Drop hidden units while training, each with this probability; which ones is drawn from --seed. Default: 0.")
  double dropout;

  void requireValid() {
    Checks.requireNonNegative("--l1", l1);
    requirePositive("--huber-delta", delta);
    requirePositive("--clip-norm", clipNorm);
    requirePositive("--clip-value", clipValue);
    Checks.require(
        clipNorm == null || clipValue == null, "--clip-norm and --clip-value exclude each other; give one");
    Checks.require(dropout >= 0 && dropout < 1, "--dropout must be at least 0 and below 1, but is " + dropout);
    Checks.require(
        delta == null || kind == Loss.Kind.HUBER, "--huber-delta is for --loss huber; leave it out, or use that loss");
    Checks.require(weights == null || !weights.isBlank(), "--weights has an empty name; name a column");
  }

  private static void requirePositive(String option, Double value) {
    Checks.require(
        value == null || (float) (double) value > 0 && Float.isFinite((float) (double) value),
        option + " must be a finite number above 0, but is " + value);
  }

  /** @param initial the loss of --init's models, or mse */
  Loss loss(Loss initial) {
    if (kind == null) {
      return initial;
    }
    return new Loss(kind, delta == null ? 1 : delta);
  }

  /**
   * Tells an ensemble of penalties, clipping and dropout.
   *
   * @param dropoutSeeds of each model
   */
  void shape(io.ringstep.Ensemble.Builder builder, long[] dropoutSeeds) {
    builder.l1(l1);
    if (dropout > 0) {
      builder.dropout(dropout, dropoutSeeds);
    }
    if (clipNorm != null) {
      builder.clipNorm(clipNorm);
    }
    if (clipValue != null) {
      builder.clipValue(clipValue);
    }
  }

  /** For example {@code , l1 0.001, dropout 0.2}; empty where nothing is asked for. */
  String describe() {
    StringBuilder text = new StringBuilder();
    if (kind != null) {
      text.append(", loss ").append(kind.name().toLowerCase(Locale.ROOT).replace('_', '-'));
      text.append(delta == null ? "" : " (delta " + delta + ")");
    }
    text.append(weights == null ? "" : ", weighted by " + weights);
    text.append(l1 == 0 ? "" : ", l1 " + l1);
    text.append(clipNorm == null ? "" : ", norm clipped to " + clipNorm);
    text.append(clipValue == null ? "" : ", values clipped to " + clipValue);
    return text.append(dropout == 0 ? "" : ", dropout " + dropout).toString();
  }
}
