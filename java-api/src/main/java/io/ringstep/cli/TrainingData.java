package io.ringstep.cli;

import io.ringstep.Dataset;
import io.ringstep.Standardizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** The rows of a training run, ready to train on. */
final class TrainingData implements AutoCloseable {
  private final Path file;
  private final Dataset rows;

  private TrainingData(Path file, Dataset rows) {
    this.file = file;
    this.rows = rows;
  }

  /**
   * Reads and standardizes.
   *
   * @param file null for the bundled table
   * @param targets names of the targets; if empty, the last {@code outputs} columns
   * @param known how the initial model's data was standardized, which the rows then must be too
   */
  static TrainingData read(
      Path file, List<String> targets, int outputs, boolean standardize, Optional<Standardizer> known)
      throws IOException {
    Dataset raw = readRaw(file, targets, outputs);
    if (!standardize && known.isEmpty()) {
      return new TrainingData(file, raw);
    }
    try (raw) {
      Dataset rows = known.isPresent() ? raw.standardized(known.get()) : raw.standardized();
      return new TrainingData(file, rows);
    }
  }

  private static Dataset readRaw(Path file, List<String> targets, int outputs) throws IOException {
    if (file == null) {
      return DiabetesExample.read(targets, outputs);
    }
    return targets.isEmpty() ? Dataset.read(file, outputs) : Dataset.read(file, targets);
  }

  Dataset rows() {
    return rows;
  }

  /** What to call it. */
  String name() {
    return file == null ? DiabetesExample.NAME : file.toString();
  }

  /** For example {@code 10 inputs and 1 target}. */
  String widths() {
    return Text.count(rows.inputs(), "input") + " and " + Text.count(rows.outputs(), "target");
  }

  /** The least-squares optimum of the bundled table; other tables' is not computed. */
  OptionalDouble optimum() {
    return file == null
        ? OptionalDouble.of(DiabetesExample.leastSquares(rows))
        : OptionalDouble.empty();
  }

  @Override
  public void close() {
    rows.close();
  }
}
