package io.ringstep.cli;

import io.ringstep.Adam;
import io.ringstep.AdamW;
import io.ringstep.Optimizer;
import io.ringstep.Sgd;
import java.util.Locale;
import picocli.CommandLine.Option;

/** How gradients change the weights; formulas and names are PyTorch's. */
final class OptimizerOptions {
  enum Kind {
    SGD,
    ADAM,
    ADAMW
  }

  @Option(names = "--optimizer", paramLabel = "sgd|adam|adamw", description = "Default: sgd.")
  Kind kind = Kind.SGD;

  @Option(names = "--lr", paramLabel = "R", description = "Learning rate. Default: 0.01.")
  Double learningRate;

  @Option(names = "--momentum", paramLabel = "R", description = "Momentum of sgd. Default: 0.")
  Double momentum;

  @Option(names = "--nesterov", description = "Nesterov's form of momentum.")
  boolean nesterov;

  @Option(
      names = "--weight-decay",
      paramLabel = "R",
      description = "L2 penalty; decoupled with adamw. Default: 0, with adamw 0.01.")
  Double weightDecay;

  void requireValid(Defaults defaults) {
    Checks.requireNonNegative("--lr", learningRate(defaults));
    Checks.requireNonNegative("--weight-decay", weightDecay());
    if (kind == Kind.SGD) {
      Checks.requireNonNegative("--momentum", momentum(defaults));
      Checks.require(
          !nesterov || momentum(defaults) > 0, "--nesterov needs a momentum; give --momentum, as 0.9");
    } else {
      String other = name() + " has its own; leave it out, or use --optimizer sgd";
      Checks.require(momentum == null, "--momentum is for sgd, " + other);
      Checks.require(!nesterov, "--nesterov is for sgd's momentum, " + other);
    }
  }

  Optimizer optimizer(Defaults defaults) {
    double rate = learningRate(defaults);
    return switch (kind) {
      case SGD -> new Sgd(rate, momentum(defaults), nesterov, weightDecay());
      case ADAM -> new Adam(rate).withWeightDecay(weightDecay());
      case ADAMW -> new AdamW(rate).withWeightDecay(weightDecay());
    };
  }

  /** For example {@code sgd, lr 0.02, momentum 0.9}. */
  String describe(Defaults defaults) {
    StringBuilder text = new StringBuilder(name()).append(", lr ").append(learningRate(defaults));
    if (kind == Kind.SGD && momentum(defaults) > 0) {
      text.append(", momentum ").append(momentum(defaults)).append(nesterov ? " (nesterov)" : "");
    }
    if (weightDecay() > 0) {
      text.append(", weight decay ").append(weightDecay());
    }
    return text.toString();
  }

  private String name() {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  private double learningRate(Defaults defaults) {
    return learningRate == null ? defaults.learningRate() : learningRate;
  }

  private double momentum(Defaults defaults) {
    return momentum == null ? defaults.momentum() : momentum;
  }

  private double weightDecay() {
    if (weightDecay != null) {
      return weightDecay;
    }
    return kind == Kind.ADAMW ? new AdamW(0).weightDecay() : 0;
  }
}
