package io.ringstep;

/**
 * Adam with an L2 penalty, as {@code torch.optim.Adam} (Kingma and Ba, 2015, algorithm 1): the penalty
 * {@code weightDecay}·θ is added to the gradient.
 *
 * @param learningRate η, finite, at least 0
 * @param beta1 decay of the mean gradient, in [0, 1)
 * @param beta2 decay of the mean squared gradient, in [0, 1)
 * @param epsilon added to the denominator, finite, at least 0
 * @param weightDecay finite, at least 0
 */
public record Adam(
    double learningRate, double beta1, double beta2, double epsilon, double weightDecay)
    implements Optimizer {

  /** Checks the ranges. */
  public Adam {
    Hyperparameters.requireNonNegative("learning rate", learningRate);
    Hyperparameters.requireFraction("beta1", beta1);
    Hyperparameters.requireFraction("beta2", beta2);
    Hyperparameters.requireNonNegative("epsilon", epsilon);
    Hyperparameters.requireNonNegative("weight decay", weightDecay);
  }

  /** PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8, weight decay 0. */
  public Adam(double learningRate) {
    this(learningRate, 0.9, 0.999, 1e-8, 0);
  }

  /** The same with these decay rates. */
  public Adam withBetas(double beta1, double beta2) {
    return new Adam(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  /** The same with this epsilon. */
  public Adam withEpsilon(double epsilon) {
    return new Adam(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  /** The same with this weight decay. */
  public Adam withWeightDecay(double weightDecay) {
    return new Adam(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  @Override
  public Adam withLearningRate(double learningRate) {
    return new Adam(learningRate, beta1, beta2, epsilon, weightDecay);
  }
}
