package io.ringstep;

import io.ringstep.internal.Compression;
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
  private final Loss loss;
  private final List<String> classNames;
  private final Encoding encoding;

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
    this(network, parameters, standardizer, inputNames, targetNames, Loss.MSE, List.of());
  }

  /**
   * @param parameters in the layout of {@link Network#parameters()}
   * @param standardizer how rows were standardized, or null if they were not
   * @param inputNames names of the inputs, or empty
   * @param targetNames names of the targets, or empty
   * @param loss what it was trained by: it says what its answers stand for
   * @param classNames with {@link Loss#CROSS_ENTROPY} the names of the classes, or empty
   */
  public Model(
      Network network,
      float[] parameters,
      Standardizer standardizer,
      List<String> inputNames,
      List<String> targetNames,
      Loss loss,
      List<String> classNames) {
    this(network, parameters.clone(), standardizer, inputNames, targetNames, loss, classNames, Encoding.FLOAT32);
  }

  /** @param parameters not copied: models share them, as nothing changes them */
  private Model(
      Network network,
      float[] parameters,
      Standardizer standardizer,
      List<String> inputNames,
      List<String> targetNames,
      Loss loss,
      List<String> classNames,
      Encoding encoding) {
    this.network = Objects.requireNonNull(network, "network");
    this.parameters = parameters;
    this.standardizer = standardizer;
    this.inputNames = List.copyOf(inputNames);
    this.targetNames = List.copyOf(targetNames);
    this.loss = Objects.requireNonNull(loss, "loss");
    this.classNames = List.copyOf(classNames);
    this.encoding = encoding;
    requireLength("parameters", parameters.length, network.parameterCount());
    if (standardizer != null) {
      requireLength("standardizer inputs", standardizer.xMean().length, network.inputs());
      requireLength("standardizer targets", standardizer.yMean().length, loss.targets(network.outputs()));
    }
    if (!inputNames.isEmpty()) {
      requireLength("input names", inputNames.size(), network.inputs());
    }
    if (!targetNames.isEmpty()) {
      requireLength("target names", targetNames.size(), loss.targets(network.outputs()));
    }
    if (!classNames.isEmpty()) {
      requireLength("class names", classNames.size(), network.outputs());
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

  /** Writes a {@code .safetensors} file in this model's {@link #encoding()}, whole or not at all. */
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

  /** What it was trained by; {@link Loss#MSE} where a file does not say. */
  public Loss loss() {
    return loss;
  }

  /** Names of the classes that the outputs stand for; empty where there are none. */
  public List<String> classNames() {
    return classNames;
  }

  /** How {@link #save} writes the weights: as they were read, or as {@link #compressed} says. */
  public Encoding encoding() {
    return encoding;
  }

  /** The same parameters with {@code activation} between the layers. */
  public Model withActivation(Activation activation) {
    return new Model(
        network.withActivation(activation), parameters, standardizer, inputNames, targetNames, loss, classNames, encoding);
  }

  /**
   * The same model rounded to what {@code encoding} holds: its file gives exactly these parameters
   * back, on every machine.
   *
   * @throws IllegalArgumentException if a parameter is beyond the encoding's range
   */
  public Model compressed(Encoding encoding) {
    return new Model(
        network,
        Compression.round(network, parameters, encoding),
        standardizer,
        inputNames,
        targetNames,
        loss,
        classNames,
        encoding);
  }

  /**
   * The same model with its smallest weights, by size over all layers, set to 0; biases stay. PyTorch
   * calls it {@code prune.global_unstructured} with {@code L1Unstructured}.
   *
   * @param fraction of the weights, from 0 to 1
   */
  public Model pruned(double fraction) {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new IllegalArgumentException("the fraction to prune must be from 0 to 1, but is " + fraction);
    }
    float[] left = Compression.prune(network, parameters, fraction);
    return new Model(network, left, standardizer, inputNames, targetNames, loss, classNames, encoding).compressed(encoding);
  }

  /**
   * The answers to raw rows, in the targets' own units; of classifiers the probabilities, see {@link
   * Trainer#probabilities}.
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
      float[] y = loss.isClassifier() ? trainer.probabilities(rows) : trainer.predict(rows);
      if (standardizer != null && !loss.isClassifier()) {
        standardizer.restoreTargets(FloatBuffer.wrap(y));
      }
      return y;
    }
  }

  Model withParameters(float[] parameters) {
    return new Model(network, parameters, standardizer, inputNames, targetNames, loss, classNames);
  }

  /** The same trained by {@code loss}: what it knew of other targets is forgotten. */
  Model withLoss(Loss loss) {
    boolean alike = loss.targets(network.outputs()) == this.loss.targets(network.outputs());
    return new Model(
        network,
        parameters,
        alike ? standardizer : null,
        inputNames,
        alike ? targetNames : List.of(),
        loss,
        loss.kind() == Loss.Kind.CROSS_ENTROPY ? classNames : List.of(),
        Encoding.FLOAT32);
  }

  /** The same after training on {@code data}: its standardizer, and its names where it has any. */
  Model withSource(Dataset data) {
    return new Model(
        network,
        parameters,
        data.standardizer().orElse(null),
        data.inputNames().isEmpty() ? inputNames : data.inputNames(),
        data.targetNames().isEmpty() ? targetNames : data.targetNames(),
        loss,
        data.classNames().isEmpty() ? classNames : data.classNames(),
        Encoding.FLOAT32);
  }

  /** The same after training on group {@code g} of {@code data}. */
  Model withSource(GroupedDataset data, int g) {
    return new Model(
        network,
        parameters,
        data.standardizer(g).orElse(null),
        data.inputNames().isEmpty() ? inputNames : data.inputNames(),
        data.targetNames().isEmpty() ? targetNames : data.targetNames(),
        loss,
        classNames,
        Encoding.FLOAT32);
  }

  private static void requireLength(String what, int actual, int needed) {
    if (actual != needed) {
      throw new IllegalArgumentException(what + ": " + actual + " where " + needed + " are needed");
    }
  }
}
