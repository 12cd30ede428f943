package io.ringstep;

import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A network with its parameters, and what is needed to use it on raw data: the standardization it
 * was trained under and the names of its columns. Immutable; as a file it is {@code .safetensors}
 * with PyTorch's names, which PyTorch reads as it is.
 */
public final class Model {
  private final Network network;
  private final float[] parameters;
  private final Standardizer standardizer;
  private final List<String> inputNames;
  private final List<String> targetNames;

  /**
   * A model without standardization and names.
   *
   * @param parameters in the layout of {@link Network#parameters()}
   */
  public Model(Network network, float[] parameters) {
    this(network, parameters, null, List.of(), List.of());
  }

  /**
   * @param parameters in the layout of {@link Network#parameters()}
   * @param standardizer how rows were standardized, or null if they were not
   * @param inputNames names of the inputs, or empty
   * @param targetNames names of the targets, or empty
   */
  public Model(
      Network network,
      float[] parameters,
      Standardizer standardizer,
      List<String> inputNames,
      List<String> targetNames) {
    this.network = Objects.requireNonNull(network, "network");
    this.parameters = parameters.clone();
    this.standardizer = standardizer;
    this.inputNames = List.copyOf(inputNames);
    this.targetNames = List.copyOf(targetNames);
    requireLength("parameters", parameters.length, network.parameterCount());
    if (standardizer != null) {
      requireLength("standardizer inputs", standardizer.xMean().length, network.inputs());
      requireLength("standardizer targets", standardizer.yMean().length, network.outputs());
    }
    if (!inputNames.isEmpty()) {
      requireLength("input names", inputNames.size(), network.inputs());
    }
    if (!targetNames.isEmpty()) {
      requireLength("target names", targetNames.size(), network.outputs());
    }
  }

  /**
   * Reads a {@code .safetensors} file: one that {@link #save} wrote, or any that holds {@code
   * fc1.weight}, {@code fc1.bias}, {@code fc2.weight}, … of fitting shapes. A file that does not name
   * its activation has {@link Activation#IDENTITY}; see {@link #withActivation}.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static Model load(Path file) {
    return ModelFile.load(file);
  }

  /** Writes a {@code .safetensors} file, whole or not at all. */
  public void save(Path file) throws IOException {
    ModelFile.save(this, file);
  }

  /** The network. */
  public Network network() {
    return network;
  }

  /** A copy of the parameters, in the layout of {@link Network#parameters()}. */
  public float[] parameters() {
    return parameters.clone();
  }

  /** How rows are standardized before the network sees them. */
  public Optional<Standardizer> standardizer() {
    return Optional.ofNullable(standardizer);
  }

  /** Names of the inputs; empty where they are not known. */
  public List<String> inputNames() {
    return inputNames;
  }

  /** Names of the targets; empty where they are not known. */
  public List<String> targetNames() {
    return targetNames;
  }

  /** The same parameters with {@code activation} between the layers. */
  public Model withActivation(Activation activation) {
    return new Model(
        network.withActivation(activation), parameters, standardizer, inputNames, targetNames);
  }

  /**
   * The answers to raw rows, in the targets' own units.
   *
   * @param x [rows, inputs], row-major, not standardized
   * @return [rows, outputs], row-major
   */
  public float[] predict(float[] x) {
    float[] rows = x.clone();
    if (standardizer != null) {
      standardizer.standardizeInputs(FloatBuffer.wrap(rows));
    }
    try (Trainer trainer = Trainer.builder(this).build()) {
      float[] y = trainer.predict(rows);
      if (standardizer != null) {
        standardizer.restoreTargets(FloatBuffer.wrap(y));
      }
      return y;
    }
  }

  Model withParameters(float[] parameters) {
    return new Model(network, parameters, standardizer, inputNames, targetNames);
  }

  /** The same after training on {@code data}: its standardizer, and its names where it has any. */
  Model withSource(Dataset data) {
    return new Model(
        network,
        parameters,
        data.standardizer().orElse(null),
        data.inputNames().isEmpty() ? inputNames : data.inputNames(),
        data.targetNames().isEmpty() ? targetNames : data.targetNames());
  }

  /** The same after training on group {@code g} of {@code data}. */
  Model withSource(GroupedDataset data, int g) {
    return new Model(
        network,
        parameters,
        data.standardizer(g).orElse(null),
        data.inputNames().isEmpty() ? inputNames : data.inputNames(),
        data.targetNames().isEmpty() ? targetNames : data.targetNames());
  }

  private static void requireLength(String what, int actual, int needed) {
    if (actual != needed) {
      throw new IllegalArgumentException(what + ": " + actual + " where " + needed + " are needed");
    }
  }
}
