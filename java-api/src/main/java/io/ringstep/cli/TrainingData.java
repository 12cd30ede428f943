package io.ringstep.cli;

import io.ringstep.Dataset;
import io.ringstep.Loss;
import io.ringstep.Split;
import io.ringstep.Standardizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** The rows of a training run, divided where they are validated, and what to call them. */
final class TrainingData implements AutoCloseable {
  private final Path file;
  private final Loss loss;
  private final Dataset rows;
  private final int outputs;
  private final List<Partition> partitions = new ArrayList<>();
  private final List<Dataset> owned = new ArrayList<>();

  private TrainingData(Path file, Loss loss, Dataset rows) {
    this.file = file;
    this.loss = loss;
    this.rows = rows;
    this.outputs = outputs(rows, loss);
    owned.add(rows);
    partitions.add(new Partition(rows, null));
  }

  /**
   * Reads the rows as they are.
   *
   * @param targets number of targets where none are named
   * @param classNames the classes of the initial model, or empty
   */
  static TrainingData read(TrainCommand options, Loss loss, int targets, List<String> classNames) throws IOException {
    Path file = options.data.file;
    if (file == null) {
      Checks.require(
          !loss.isClassifier(), "the bundled table has no classes; give --data, or leave --loss " + loss + " out");
      return new TrainingData(null, loss, DiabetesExample.read(options.data.targets, targets));
    }
    return new TrainingData(file, loss, Dataset.read(file, columns(options, loss, targets, classNames)));
  }

  private static Dataset.Columns columns(TrainCommand options, Loss loss, int targets, List<String> classNames) {
    List<String> names = options.data.targets;
    boolean overClasses = loss.kind() == Loss.Kind.CROSS_ENTROPY;
    Checks.require(
        !overClasses || names.size() <= 1,
        "--loss cross-entropy takes one target, whose texts are the classes; name one column");
    Dataset.Columns columns =
        names.isEmpty() ? Dataset.Columns.lastTargets(targets) : Dataset.Columns.targets(names);
    if (options.loss.weights != null) {
      columns = columns.weights(options.loss.weights);
    }
    return overClasses ? columns.classes(classNames) : columns;
  }

  /** Outputs that a network needs for the targets: with classes, one for each. */
  private static int outputs(Dataset rows, Loss loss) {
    if (loss.kind() != Loss.Kind.CROSS_ENTROPY) {
      return rows.outputs();
    }
    return rows.classNames().isEmpty() ? 0 : rows.classNames().size();
  }

  /** Divides the rows as asked for, and standardizes them where asked for: by the rows of training alone. */
  void prepare(TrainCommand options, Optional<Standardizer> known) {
    ValidationOptions validation = options.validation;
    List<Split> splits = new ArrayList<>();
    long seed = options.loop.seed;
    if (validation.split != null) {
      splits.add(rows.split(validation.split, seed));
    }
    for (int k = 0; validation.folds != null && k < validation.folds; k++) {
      Checks.require(
          validation.folds <= rows.rows(),
          "--folds " + validation.folds + " needs as many rows, but " + name() + " has " + rows.rows());
      splits.add(rows.fold(k, validation.folds, seed));
    }
    Dataset others = null;
    if (validation.file != null) {
      others = Dataset.read(validation.file, columns(options, loss, rows.outputs(), rows.classNames()));
      requireSameColumns(others, validation.file);
      owned.add(others);
    }
    splits.forEach(split -> owned.addAll(List.of(split.training(), split.validation())));
    partitions.clear();
    if (splits.isEmpty()) {
      partitions.add(standardized(rows, others, options, known));
    }
    splits.forEach(split -> partitions.add(standardized(split.training(), split.validation(), options, known)));
  }

  private Partition standardized(
      Dataset training, Dataset validation, TrainCommand options, Optional<Standardizer> known) {
    if (!options.standardize() && known.isEmpty()) {
      return new Partition(training, validation);
    }
    Standardizer standardizer =
        known.orElseGet(() -> loss.isClassifier() ? Standardizer.ofInputs(training) : Standardizer.of(training));
    Dataset first = training.standardized(standardizer);
    owned.add(first);
    if (validation == null) {
      return new Partition(first, null);
    }
    Dataset second = validation.standardized(standardizer);
    owned.add(second);
    return new Partition(first, second);
  }

  private void requireSameColumns(Dataset others, Path validation) {
    Checks.require(
        others.inputs() == rows.inputs()
            && others.outputs() == rows.outputs()
            && others.inputNames().equals(rows.inputNames())
            && others.targetNames().equals(rows.targetNames()),
        validation + " has other columns than " + name() + "; name and order them alike");
  }

  /** All rows, as they are in the file. */
  Dataset rows() {
    return rows;
  }

  /** The rows of model {@code k}. */
  Partition partition(int k) {
    return partitions.get(Math.min(k, partitions.size() - 1));
  }

  /** Outputs that the network needs; 0 where the data does not say. */
  int outputs() {
    return outputs;
  }

  /** What to call it. */
  String name() {
    return file == null ? DiabetesExample.NAME : file.toString();
  }

  /** For example {@code 10 inputs and 1 target}. */
  String widths() {
    String targets =
        loss.kind() == Loss.Kind.CROSS_ENTROPY && outputs > 0
            ? outputs + (outputs == 1 ? " class" : " classes")
            : Text.count(rows.outputs(), "target");
    return Text.count(rows.inputs(), "input") + " and " + targets;
  }

  /**
   * The least-squares optimum of the bundled table, where all of it is trained on by squared errors; other tables' is not
   * computed.
   */
  OptionalDouble optimum() {
    boolean whole = partitions.get(0).training().rows() == rows.rows();
    return file == null && whole && loss.equals(Loss.MSE)
        ? OptionalDouble.of(DiabetesExample.leastSquares(rows))
        : OptionalDouble.empty();
  }

  @Override
  public void close() {
    owned.forEach(Dataset::close);
  }
}
