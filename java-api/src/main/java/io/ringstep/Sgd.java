package io.ringstep;

/**
 * Stochastic gradient descent, as {@code torch.optim.SGD}: with g the mean gradient plus {@code
 * weightDecay}·θ, and b ← momentum·b + g (b ← g in the first step), θ ← θ − η·b, or with Nesterov
 * θ ← θ − η·(g + momentum·b).
 *
 * @param learningRate η, finite, at least 0
 * @param momentum finite, at least 0
 * @param nesterov needs a momentum above 0
 * @param weightDecay L2 penalty, finite, at least 0
 */
public record Sgd(double learningRate, double momentum, boolean nesterov, double weightDecay)
    implements Optimizer {

  /** Checks the ranges. */
  public Sgd {
    Hyperparameters.requireNonNegative("learning rate", learningRate);
    Hyperparameters.requireNonNegative("momentum", momentum);
    Hyperparameters.requireNonNegative("weight decay", weightDecay);
    if (nesterov && momentum == 0) {
      throw new IllegalArgumentException("nesterov needs a momentum above 0");
    }
  }

  /** Plain gradient descent: no momentum, no weight decay. */
  public Sgd(double learningRate) {
    this(learningRate, 0, false, 0);
  }

  /** The same with this momentum. */
  public Sgd withMomentum(double momentum) {
    return new Sgd(learningRate, momentum, nesterov, weightDecay);
  }

  /** The same with Nesterov's momentum. */
  public Sgd withNesterov() {
    return new Sgd(learningRate, momentum, true, weightDecay);
  }

  /** The same with this L2 penalty. */
  public Sgd withWeightDecay(double weightDecay) {
    return new Sgd(learningRate, momentum, nesterov, weightDecay);
  }

  @Override
  public Sgd withLearningRate(double learningRate) {
    return new Sgd(learningRate, momentum, nesterov, weightDecay);
  }
}
