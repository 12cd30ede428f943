package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.Native;
import io.ringstep.internal.NativeHandle;
import io.ringstep.internal.files.Table;
import io.ringstep.internal.files.TableReader;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/**
 * Rows of inputs and targets, float32, held off the Java heap until {@link #close()}. The rows do
 * not change, so any number of threads and {@link Trainer}s may use one at once.
 */
public final class Dataset implements AutoCloseable {
  /** What a view of native memory can hold: its bytes are counted in an int. */
  private static final int MOST_VALUES = Integer.MAX_VALUE / Float.BYTES;

  private final NativeHandle<rs_dataset> handle;
  private final long rows;
  private final int inputs;
  private final int outputs;
  private final List<String> inputNames;
  private final List<String> targetNames;
  private final Standardizer standardizer;

  private Dataset(
      FloatBuffer x, FloatBuffer y, int inputs, int outputs,
      List<String> inputNames, List<String> targetNames, Standardizer standardizer) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.rows = rowsOf(x, y, inputs, outputs);
    this.inputNames = List.copyOf(inputNames);
    this.targetNames = List.copyOf(targetNames);
    this.standardizer = standardizer;
    Native.require();
    rs_dataset created = new rs_dataset();
    Native.check(Engine.rs_dataset_create(rows, inputs, outputs, created));
    this.handle = new NativeHandle<>(this, "Dataset", created, Engine::rs_dataset_destroy);
    buffers(
        created,
        (ownX, ownY) -> {
          ownX.put(x.duplicate());
          ownY.put(y.duplicate());
          return null;
        });
  }

  /**
   * Copies rows.
   *
   * @param x [rows, inputs], row-major, finite
   * @param y [rows, outputs], row-major, finite
   */
  public static Dataset of(float[] x, float[] y, int inputs, int outputs) {
    return of(FloatBuffer.wrap(x), FloatBuffer.wrap(y), inputs, outputs);
  }

  /**
   * Copies the rows between the buffers' positions and limits.
   *
   * @param x [rows, inputs], row-major, finite
   * @param y [rows, outputs], row-major, finite
   */
  public static Dataset of(FloatBuffer x, FloatBuffer y, int inputs, int outputs) {
    rowsOf(x, y, inputs, outputs);
    requireFinite("x", x, inputs);
    requireFinite("y", y, outputs);
    return new Dataset(x, y, inputs, outputs, List.of(), List.of(), null);
  }

  /**
   * Reads a file: CSV with a header, {@code .npy}, or {@code .npz} or {@code .safetensors} holding
   * {@code x} and {@code y}. The last {@code outputs} columns of a CSV or {@code .npy} file are the
   * targets.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static Dataset read(Path file, int outputs) {
    return of(TableReader.readTraining(file, List.of(), outputs));
  }

  /**
   * Reads a CSV file whose columns {@code targets} are the targets, in this order; all others are
   * inputs.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static Dataset read(Path file, List<String> targets) {
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("targets must name at least one column");
    }
    return of(TableReader.readTraining(file, targets, targets.size()));
  }

  private static Dataset of(Table table) {
    return new Dataset(
        table.x(), table.y(), table.inputs(), table.outputs(), table.xNames(), table.yNames(), null);
  }

  /**
   * A copy with every column at mean 0 and standard deviation 1, which remembers how. This dataset
   * stays open: both are to be closed.
   */
  public Dataset standardized() {
    return standardized(Standardizer.of(this));
  }

  /** A copy standardized by {@code standardizer}, which it remembers. */
  public Dataset standardized(Standardizer standardizer) {
    if (this.standardizer != null) {
      throw new IllegalStateException("this Dataset is standardized already");
    }
    if (standardizer.xMean().length != inputs || standardizer.yMean().length != outputs) {
      throw new IllegalArgumentException(
          "the standardizer is for " + standardizer.xMean().length + " inputs and "
              + standardizer.yMean().length + " outputs, but the data has " + inputs + " and " + outputs);
    }
    return read(
        (x, y) -> {
          Dataset copy = new Dataset(x, y, inputs, outputs, inputNames, targetNames, standardizer);
          copy.buffers(
              copy.handle.acquire(),
              (ownX, ownY) -> {
                standardizer.standardizeInputs(ownX);
                standardizer.standardizeTargets(ownY);
                return null;
              });
          copy.handle.release();
          return copy;
        });
  }

  /** Number of rows, at least 1. */
  public long rows() {
    return rows;
  }

  /** Width of a row of x. */
  public int inputs() {
    return inputs;
  }

  /** Width of a row of y. */
  public int outputs() {
    return outputs;
  }

  /** Names of the inputs; empty where the source had none. */
  public List<String> inputNames() {
    return inputNames;
  }

  /** Names of the targets; empty where the source had none. */
  public List<String> targetNames() {
    return targetNames;
  }

  /** A copy of x, [rows, inputs], row-major: standardized, where the dataset is. */
  public float[] x() {
    return read((x, y) -> copy(x));
  }

  /** A copy of y, [rows, outputs], row-major: standardized, where the dataset is. */
  public float[] y() {
    return read((x, y) -> copy(y));
  }

  private static float[] copy(FloatBuffer values) {
    float[] copy = new float[values.remaining()];
    values.get(copy);
    return copy;
  }

  /** How the rows were standardized; empty where they were not. */
  public Optional<Standardizer> standardizer() {
    return Optional.ofNullable(standardizer);
  }

  /** Frees the rows, once no call uses them any more. */
  @Override
  public void close() {
    handle.close();
  }

  /** Lends read-only views of the rows. */
  <T> T read(BiFunction<FloatBuffer, FloatBuffer, T> use) {
    try {
      return buffers(acquire(), (x, y) -> use.apply(x.asReadOnlyBuffer(), y.asReadOnlyBuffer()));
    } finally {
      release();
    }
  }

  /** Mean loss of {@code trainer}'s network over the rows. */
  double evaluate(rs_trainer trainer) {
    double[] loss = new double[1];
    rs_dataset dataset = acquire();
    try {
      Native.check(Engine.rs_trainer_evaluate(trainer, dataset, targetScale(), loss));
    } finally {
      release();
    }
    return loss[0];
  }

  /** What each target was divided by, or null. */
  float[] targetScale() {
    if (standardizer == null) {
      return null;
    }
    double[] scale = standardizer.yScale();
    float[] narrow = new float[scale.length];
    for (int i = 0; i < scale.length; i++) {
      narrow[i] = (float) scale[i];
    }
    return narrow;
  }

  rs_dataset acquire() {
    return handle.acquire();
  }

  void release() {
    handle.release();
    Reference.reachabilityFence(this);
  }

  private <T> T buffers(rs_dataset dataset, BiFunction<FloatBuffer, FloatBuffer, T> use) {
    return use.apply(
        Engine.rs_dataset_x(dataset).capacity(rows * inputs).asBuffer(),
        Engine.rs_dataset_y(dataset).capacity(rows * outputs).asBuffer());
  }

  private static long rowsOf(FloatBuffer x, FloatBuffer y, int inputs, int outputs) {
    if (inputs < 1 || outputs < 1) {
      throw new IllegalArgumentException("inputs and outputs must be at least 1, but are " + inputs + " and " + outputs);
    }
    if (Math.max(x.remaining(), y.remaining()) > MOST_VALUES) {
      throw new IllegalArgumentException(
          "x or y has more than " + MOST_VALUES + " values; split them into several datasets");
    }
    long rows = x.remaining() / inputs;
    if (rows * inputs != x.remaining() || rows * outputs != y.remaining() || rows == 0) {
      throw new IllegalArgumentException(
          "x has " + x.remaining() + " values and y has " + y.remaining() + ": not the same number of rows, at least 1, of "
              + inputs + " inputs and " + outputs + " outputs");
    }
    return rows;
  }

  private static void requireFinite(String name, FloatBuffer values, int columns) {
    for (int i = values.position(); i < values.limit(); i++) {
      if (!Float.isFinite(values.get(i))) {
        int cell = i - values.position();
        throw new IllegalArgumentException(
            name + "[" + cell / columns + ", " + cell % columns + "] is " + values.get(i) + "; every value must be finite");
      }
    }
  }
}
