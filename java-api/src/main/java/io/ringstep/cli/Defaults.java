package io.ringstep.cli;

/** The settings of a training run that depend on its data. */
record Defaults(double learningRate, double momentum, long batch, int epochs, boolean standardize) {
  static final Defaults GENERAL = new Defaults(0.01, 0, 32, 100, false);
}
