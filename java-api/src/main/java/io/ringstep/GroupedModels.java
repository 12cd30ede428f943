package io.ringstep;

import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One model a group, of one network. Immutable; as a file it is {@code .safetensors} with all models stacked. */
public final class GroupedModels {
  private final String column;
  private final List<String> groups;
  private final List<Model> models;
  private final Map<String, Integer> numbers = new HashMap<>();

  /**
   * @param column what the groups are told apart by
   * @param groups the groups' names, each once
   * @param models the model of each group; all of one network, with standardizers or all without
   */
  public GroupedModels(String column, List<String> groups, List<Model> models) {
    this.column = column;
    this.groups = List.copyOf(groups);
    this.models = List.copyOf(models);
    if (groups.isEmpty() || groups.size() != models.size()) {
      throw new IllegalArgumentException(groups.size() + " groups and " + models.size() + " models: every group needs one");
    }
    Model first = models.get(0);
    for (int g = 0; g < groups.size(); g++) {
      if (numbers.put(groups.get(g), g) != null) {
        throw new IllegalArgumentException("group '" + groups.get(g) + "' is named twice");
      }
      Model model = models.get(g);
      if (!model.network().equals(first.network()) || model.standardizer().isPresent() != first.standardizer().isPresent()) {
        throw new IllegalArgumentException("the models of the groups must have one network, and standardizers or none");
      }
    }
  }

  /**
   * Reads a file that {@link #save} wrote.
   *
   * @throws InvalidDataException if the file is missing or malformed, or has no groups
   */
  public static GroupedModels load(Path file) {
    return ModelFile.loadGroups(file)
        .orElseThrow(() -> new InvalidDataException(file, 0, 0, "holds no groups; use a file of a fit by groups"));
  }

  /** Writes a {@code .safetensors} file, whole or not at all. */
  public void save(Path file) throws IOException {
    ModelFile.saveGroups(this, file);
  }

  /** What the groups are told apart by. */
  public String column() {
    return column;
  }

  /** The groups' names. */
  public List<String> groups() {
    return groups;
  }

  /** The model of each group. */
  public List<Model> models() {
    return models;
  }

  /** The model of {@code group}; empty where there is no such group. */
  public Optional<Model> model(String group) {
    return Optional.ofNullable(numbers.get(group)).map(models::get);
  }

  /**
   * The answers to raw rows, each by its group's model, in the targets' own units.
   *
   * @param x [rows, inputs], row-major, not standardized
   * @param groups [rows], the name of each row's group
   * @return [rows, outputs], row-major
   * @throws IllegalArgumentException if a row's group has no model; the message names both
   */
  public float[] predict(float[] x, List<String> groups) {
    Network network = models.get(0).network();
    int in = network.inputs();
    int out = network.outputs();
    if (x.length != (long) groups.size() * in) {
      throw new IllegalArgumentException(
          "x has " + x.length + " values where " + groups.size() + " rows of " + in + " inputs are needed");
    }
    Map<Integer, List<Integer>> rows = new HashMap<>();
    for (int row = 0; row < groups.size(); row++) {
      Integer number = numbers.get(groups.get(row));
      if (number == null) {
        throw new IllegalArgumentException(
            "row " + (row + 1) + ": there is no model for group '" + groups.get(row) + "'");
      }
      rows.computeIfAbsent(number, none -> new ArrayList<>()).add(row);
    }
    float[] y = new float[groups.size() * out];
    rows.forEach(
        (number, own) -> {
          float[] ownX = new float[own.size() * in];
          for (int i = 0; i < own.size(); i++) {
            System.arraycopy(x, own.get(i) * in, ownX, i * in, in);
          }
          float[] ownY = models.get(number).predict(ownX);
          for (int i = 0; i < own.size(); i++) {
            System.arraycopy(ownY, i * out, y, own.get(i) * out, out);
          }
        });
    return y;
  }
}
