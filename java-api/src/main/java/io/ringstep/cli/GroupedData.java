package io.ringstep.cli;

import io.ringstep.Ensemble;
import io.ringstep.EnsembleResult;
import io.ringstep.Fit;
import io.ringstep.GroupedDataset;
import io.ringstep.GroupedSplit;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The rows of a grouped run, divided where they are validated. */
final class GroupedData implements AutoCloseable {
  private final List<GroupedDataset> owned = new ArrayList<>();
  private GroupedDataset training;
  private GroupedSplit split;

  private GroupedData() {}

  /** Divides and standardizes them, too, where asked for: each group by its rows of training alone. */
  static GroupedData read(TrainCommand options) {
    GroupedData data = new GroupedData();
    try {
      data.readRows(options);
      return data;
    } catch (RuntimeException | Error e) {
      data.close();
      throw e;
    }
  }

  private void readRows(TrainCommand options) {
    GroupedDataset rows = own(read(options, options.data.file));
    if (options.validation.isAskedFor()) {
      GroupedSplit raw = own(validated(rows, options));
      hold(options.standardize() ? own(raw.standardized()) : raw);
    } else {
      training = options.standardize() ? own(rows.standardized()) : rows;
    }
  }

  private static GroupedDataset read(TrainCommand options, Path file) {
    DataOptions data = options.data;
    int outputs = options.network.network == null ? 1 : options.network.network.outputs();
    return data.targets.isEmpty()
        ? GroupedDataset.read(file, data.groupBy, outputs)
        : GroupedDataset.read(file, data.groupBy, data.targets);
  }

  private GroupedSplit validated(GroupedDataset rows, TrainCommand options) {
    ValidationOptions validation = options.validation;
    if (validation.split != null) {
      return rows.split(validation.split, options.loop.seed);
    }
    GroupedDataset others = own(read(options, validation.file));
    Checks.require(
        others.inputNames().equals(rows.inputNames()) && others.targetNames().equals(rows.targetNames()),
        validation.file + " has other columns than " + options.data.file + "; name and order them alike");
    Set<String> known = new HashSet<>(rows.names());
    for (String name : others.names()) {
      Checks.require(
          known.contains(name),
          validation.file + " has the group '" + name + "' by " + rows.column() + ", but " + options.data.file
              + " has not; leave its rows out");
    }
    return new GroupedSplit(rows, others.inGroups(rows.names()));
  }

  private GroupedDataset own(GroupedDataset rows) {
    owned.add(rows);
    return rows;
  }

  private GroupedSplit own(GroupedSplit rows) {
    own(rows.training());
    own(rows.validation());
    return rows;
  }

  private void hold(GroupedSplit rows) {
    split = rows;
    training = rows.training();
  }

  /** The rows to train on. */
  GroupedDataset training() {
    return training;
  }

  /** Those to validate with, of the same groups, some of which may have none; null where nothing is validated. */
  GroupedDataset validation() {
    return split == null ? null : split.validation();
  }

  /** A copy of some of the groups, to be closed. */
  GroupedData part(int from, int to) {
    GroupedData part = new GroupedData();
    if (split == null) {
      part.training = part.own(training.part(from, to));
    } else {
      part.hold(part.own(split.part(from, to)));
    }
    return part;
  }

  /** @param orders of each model's rows, or null for the fit's */
  EnsembleResult fit(Ensemble ensemble, Fit fit, long[] orders) {
    if (split == null) {
      return orders == null ? ensemble.fit(training, fit) : ensemble.fit(training, fit, orders);
    }
    return orders == null ? ensemble.fit(split, fit) : ensemble.fit(split, fit, orders);
  }

  @Override
  public void close() {
    owned.forEach(GroupedDataset::close);
  }
}
