package io.ringstep.cli;

import io.ringstep.Fit;
import io.ringstep.Schedule;
import picocli.CommandLine.Option;

/** How the learning rate changes, and what average of the weights is kept. */
final class ScheduleOptions {
  /** As the words of the command line. */
  enum Kind {
    CONSTANT,
    STEP,
    COSINE,
    PLATEAU
  }

  @Option(
      names = "--schedule",
      paramLabel = "constant|step|cosine|plateau",
      description =
          "step: times --gamma every --every epochs; cosine: down to --min-lr at the end; plateau: times --gamma whenever"
              + " the validation loss, or without one the training loss, has not improved for more than --every epochs."
              + " Default: constant.")
  Kind kind = Kind.CONSTANT;

  @Option(names = "--gamma", paramLabel = "R", description = "Factor of step and plateau. Default: 0.1.")
  Double gamma;

  @Option(names = "--every", paramLabel = "N", description = "Epochs of step and plateau. Default: 10.")
  Integer every;

  @Option(names = "--min-lr", paramLabel = "R", description = "Least learning rate of cosine and plateau. Default: 0.")
  Double minLearningRate;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      description = "Begin with N steps whose learning rate grows linearly from a third. Default: 0.")
  long warmup;

  @Option(
      names = "--ema",
      paramLabel = "D",
      description =
          "Keep an exponential moving average of the weights, with this decay a step, as 0.999; validate, report and save"
              + " it in place of the weights.")
  Double ema;

  @Option(
      names = "--swa",
      paramLabel = "N",
      description = "The same with the mean of the weights at the end of every epoch but the first N.")
  Integer swa;

  void requireValid() {
    boolean drops = kind == Kind.STEP || kind == Kind.PLATEAU;
    boolean descends = kind == Kind.COSINE || kind == Kind.PLATEAU;
    Checks.require(gamma == null || drops, "--gamma is for --schedule step or plateau");
    Checks.require(every == null || drops, "--every is for --schedule step or plateau");
    Checks.require(minLearningRate == null || descends, "--min-lr is for --schedule cosine or plateau");
    Checks.requireNonNegative("--gamma", gamma());
    Checks.require(
        kind != Kind.PLATEAU || gamma() > 0 && gamma() < 1,
        "--gamma must be above 0 and below 1 for a plateau, but is " + gamma());
    if (kind == Kind.STEP) {
      Checks.requireAtLeastOne("--every", every());
    }
    Checks.require(every() >= 0, "--every must be at least 0, but is " + every());
    Checks.requireNonNegative("--min-lr", minLearningRate());
    Checks.require(warmup >= 0, "--warmup must be at least 0, but is " + warmup);
    Checks.require(ema == null || ema >= 0 && ema < 1, "--ema must be at least 0 and below 1, but is " + ema);
    Checks.require(swa == null || swa >= 0, "--swa must be at least 0, but is " + swa);
    Checks.require(ema == null || swa == null, "--ema and --swa exclude each other; give one");
  }

  /** Neither a plateau nor an average of weights, which have to do with epochs too. */
  boolean isOfStepsAlone() {
    return kind != Kind.PLATEAU && ema == null && swa == null;
  }

  Fit applyTo(Fit fit) {
    Fit scheduled = fit.schedule(schedule());
    if (ema != null) {
      return scheduled.ema(ema);
    }
    return swa == null ? scheduled : scheduled.swa(swa);
  }

  private Schedule schedule() {
    return warmup == 0 ? main() : main().withWarmup(warmup, 1.0 / 3);
  }

  /** What follows the warm-up. */
  private Schedule main() {
    return switch (kind) {
      case CONSTANT -> Schedule.constant();
      case STEP -> Schedule.step(every(), gamma());
      case COSINE -> Schedule.cosine(minLearningRate());
      case PLATEAU -> Schedule.plateau(gamma(), every(), minLearningRate());
    };
  }

  /** For example {@code , schedule cosine to 0.001}; empty where nothing is asked for. */
  String describe() {
    return (kind == Kind.CONSTANT ? "" : ", schedule " + main())
        + (warmup == 0 ? "" : ", " + Text.count(warmup, "step") + " of warm-up")
        + (ema == null ? "" : ", ema " + ema)
        + (swa == null ? "" : ", swa after " + Text.count(swa, "epoch"));
  }

  private double gamma() {
    return gamma == null ? 0.1 : gamma;
  }

  private int every() {
    return every == null ? 10 : every;
  }

  private double minLearningRate() {
    return minLearningRate == null ? 0 : minLearningRate;
  }
}
