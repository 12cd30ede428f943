package io.ringstep.cli;

import java.nio.file.Path;
import java.util.List;

/** Checks of option values, with messages that name the option. */
final class Checks {
  private Checks() {}

  static void require(boolean valid, String message) {
    if (!valid) {
      throw new UsageException(message);
    }
  }

  static void requireAtLeastOne(String option, long value) {
    require(value >= 1, option + " must be at least 1, but is " + value);
  }

  /** The engine works in float32, where a number may be infinite that is not as it was given. */
  static void requireNonNegative(String option, double value) {
    require(
        value >= 0 && Float.isFinite((float) value),
        option + " must be a finite number of at least 0, but is " + (float) value);
  }

  /** One file for all models, stacked where they are several, or one for each. */
  static void requireFileCount(String option, List<Path> files, int models) {
    boolean fits = files.size() <= 1 || files.size() == models;
    require(
        fits,
        option + " names " + files.size() + " files for --models " + models + "; name "
            + (models == 1 ? "one" : "one stacked file, or " + models));
  }
}
