package io.ringstep.cli;

import io.ringstep.Dataset;
import io.ringstep.Standardizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** The rows of a training run, and what to call them. */
final class TrainingData implements AutoCloseable {
  private final Path file;
  private Dataset rows;

  private TrainingData(Path file, Dataset rows) {
    this.file = file;
    this.rows = rows;
  }

  /**
   * Reads the rows as they are.
   *
   * @param file null for the bundled table
   * @param targets names of the targets; if empty, the last {@code outputs} columns
   */
  static TrainingData read(Path file, List<String> targets, int outputs) throws IOException {
    if (file == null) {
      return new TrainingData(null, DiabetesExample.read(targets, outputs));
    }
    return new TrainingData(
        file, targets.isEmpty() ? Dataset.read(file, outputs) : Dataset.read(file, targets));
  }

  /** Standardizes the rows, by their own moments where those to use are not known. */
  void standardize(Optional<Standardizer> known) {
    try (Dataset raw = rows) {
      rows = known.isPresent() ? raw.standardized(known.get()) : raw.standardized();
    }
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
