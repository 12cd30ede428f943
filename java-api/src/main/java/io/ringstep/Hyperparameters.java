package io.ringstep;

/** Range checks shared by the optimizers. */
final class Hyperparameters {
  private Hyperparameters() {}

  static void requireNonNegative(String name, double value) {
    // The engine works in float32, where a number may be infinite that is not in double.
    boolean finite = Float.isFinite((float) value);
    if (!(value >= 0 && finite)) {
      throw new IllegalArgumentException(
          name + " must be a finite number of at least 0, but is " + (finite ? value : Float.toString((float) value)));
    }
  }

  static void requirePositive(String name, double value) {
    requireNonNegative(name, value);
    if ((float) value == 0) {
      throw new IllegalArgumentException(name + " must be above 0, but is " + value);
    }
  }

  static void requireFraction(String name, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(name + " must be in [0, 1), but is " + value);
    }
  }
}
