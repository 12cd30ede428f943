package io.ringstep;

/** How a gradient changes the parameters. Formulas and defaults are PyTorch's. */
public sealed interface Optimizer permits Sgd, Adam, AdamW {
  /** The step size η. */
  double learningRate();

  /** The same optimizer with another learning rate. */
  Optimizer withLearningRate(double learningRate);
}
