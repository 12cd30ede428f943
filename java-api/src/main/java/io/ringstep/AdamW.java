package io.ringstep;

/**
 * Adam with decoupled weight decay, as {@code torch.optim.AdamW} (Loshchilov and Hutter, 2019,
 * algorithm 2): θ is multiplied by 1 − η·{@code weightDecay} before each update.
 *
 * @param learningRate η, finite, at least 0
 * @param beta1 decay of the mean gradient, in [0, 1)
 * @param beta2 decay of the mean squared gradient, in [0, 1)
 * @param epsilon added to the denominator, finite, at least 0
 * @param weightDecay finite, at least 0
 */
public record AdamW(
    double learningRate, double beta1, double beta2, double epsilon, double weightDecay)
    implements Optimizer {

  /** Checks the ranges. */
  public AdamW {
    Hyperparameters.requireNonNegative("learning rate", learningRate);
    Hyperparameters.requireFraction("beta1", beta1);
    Hyperparameters.requireFraction("beta2", beta2);
    Hyperparameters.requireNonNegative("epsilon", epsilon);
    Hyperparameters.requireNonNegative("weight decay", weightDecay);
  }

  /** PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8, weight decay 0.01. */
  public AdamW(double learningRate) {
    this(learningRate, 0.9, 0.999, 1e-8, 0.01);
  }

  /** The same with these decay rates. */
  public AdamW withBetas(double beta1, double beta2) {
    return new AdamW(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  /** The same with this epsilon. */
  public AdamW withEpsilon(double epsilon) {
    return new AdamW(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  /** The same with this weight decay. */
  public AdamW withWeightDecay(double weightDecay) {
    return new AdamW(learningRate, beta1, beta2, epsilon, weightDecay);
  }

  @Override
  public AdamW withLearningRate(double learningRate) {
    return new AdamW(learningRate, beta1, beta2, epsilon, weightDecay);
  }
}
