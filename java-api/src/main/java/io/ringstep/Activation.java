package io.ringstep;

/** The function applied between two Linear layers; the last layer has none. */
public enum Activation {
  /** f(z) = z. */
  IDENTITY,
  /** f(z) = max(z, 0), with gradient 0 at 0. NaN stays NaN. */
  RELU,
  /** f(z) = tanh(z). */
  TANH,
  /** f(z) = 1 / (1 + exp(-z)). */
  SIGMOID
}
