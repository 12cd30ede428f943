package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_dataset;
import io.ringstep.engine.Engine.rs_trainer;
import io.ringstep.internal.Native;
import io.ringstep.internal.NativeHandle;
import io.ringstep.internal.files.Table;
import io.ringstep.internal.files.TableReader;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

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
  private final List<String> classNames;
  private final Standardizer standardizer;
  private final boolean weighted;

  /** @param weights [rows], or null */
  private Dataset(
      FloatBuffer x, FloatBuffer y, FloatBuffer weights, int inputs, int outputs,
      List<String> inputNames, List<String> targetNames, List<String> classNames, Standardizer standardizer) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.rows = rowsOf(x, y, inputs, outputs);
    this.inputNames = List.copyOf(inputNames);
    this.targetNames = List.copyOf(targetNames);
    this.classNames = List.copyOf(classNames);
    this.standardizer = standardizer;
    this.weighted = weights != null;
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
    if (weighted) {
      weights(created).put(weights.duplicate());
    }
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
    return new Dataset(x, y, null, inputs, outputs, List.of(), List.of(), List.of(), null);
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

  static Dataset of(Table table) {
    return new Dataset(
        table.x(), table.y(), table.weights(), table.inputs(), table.outputs(), table.xNames(), table.yNames(),
        table.classNames(), null);
  }

  /**
   * Reads a file as {@link Columns} says.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static Dataset read(Path file, Columns columns) {
    return of(
        TableReader.readTraining(
            file, columns.targets, columns.outputs, columns.weights, columns.classes, columns.classNames));
  }

  /**
   * What the columns of a file are for. Immutable: {@code Columns.targets(List.of("price")).weights("n")}.
   */
  public static final class Columns {
    private final List<String> targets;
    private final int outputs;
    private final String weights;
    private final boolean classes;
    private final List<String> classNames;

    private Columns(List<String> targets, int outputs, String weights, boolean classes, List<String> classNames) {
      this.targets = targets;
      this.outputs = outputs;
      this.weights = weights;
      this.classes = classes;
      this.classNames = classNames;
    }

    /** The columns of these names are the targets, in this order; of CSV alone. */
    public static Columns targets(List<String> names) {
      if (names.isEmpty()) {
        throw new IllegalArgumentException("targets must name at least one column");
      }
      return new Columns(List.copyOf(names), names.size(), null, false, List.of());
    }

    /** The last {@code count} columns are the targets. */
    public static Columns lastTargets(int count) {
      if (count < 1) {
        throw new IllegalArgumentException("there must be at least 1 target, but count is " + count);
      }
      return new Columns(List.of(), count, null, false, List.of());
    }

    /** The same with sample weights from the CSV column, or the array, of this name: finite, at least 0. */
    public Columns weights(String name) {
      return new Columns(targets, outputs, name, classes, classNames);
    }

    /**
     * The same with one target that is a class, for {@link Loss#CROSS_ENTROPY}. In a CSV file each different text of its
     * column is one: numbered from 0 on in the order of {@code names}, or where that is empty by value if all are numbers,
     * else by alphabet. In other files they are the numbers themselves.
     *
     * @param names as {@link Dataset#classNames()} of other rows has them, or empty
     */
    public Columns classes(List<String> names) {
      if (outputs != 1) {
        throw new IllegalArgumentException("classes are one column, but " + outputs + " are targets");
      }
      return new Columns(targets, outputs, weights, true, List.copyOf(names));
    }
  }

  /**
   * A copy whose rows count differently: every mean loss becomes Σ wᵢ·ℓᵢ / Σ wᵢ, over nothing but weights of 0 it is 0.
   * This dataset stays open.
   *
   * @param weights one a row, finite, at least 0
   */
  public Dataset weighted(float[] weights) {
    if (weights.length != rows) {
      throw new IllegalArgumentException(weights.length + " weights for " + rows + " rows");
    }
    for (int i = 0; i < weights.length; i++) {
      if (!(weights[i] >= 0 && Float.isFinite(weights[i]))) {
        throw new IllegalArgumentException(
            "weight " + i + " is " + weights[i] + "; every weight must be finite and at least 0");
      }
    }
    return read((x, y) -> copy(x, y, FloatBuffer.wrap(weights), standardizer));
  }

  /** Whether rows have weights of their own. */
  public boolean isWeighted() {
    return weighted;
  }

  /**
   * Divides the rows by chance, the same on every machine. This dataset stays open.
   *
   * @param validation share of the rows to validate with, above 0 and below 1; both parts get at least one row
   */
  public Split split(double validation, long seed) {
    return divided(Division.share(rows, validation, seed));
  }

  /**
   * One of {@code count} ways to divide the rows by chance, for cross-validation: every row validates in just one of them,
   * whose sizes differ by one row at most. The same on every machine. This dataset stays open.
   *
   * @param fold from 0 to count − 1
   * @param count from 2 to the number of rows
   */
  public Split fold(int fold, int count, long seed) {
    return divided(Division.fold(rows, fold, count, seed));
  }

  private Split divided(Division division) {
    Dataset first = pick(division.training());
    return Closing.onFailure(first::close, () -> new Split(first, pick(division.validation())));
  }

  private Dataset pick(long[] chosen) {
    FloatBuffer weights = weighted ? weights(acquire()).asReadOnlyBuffer() : null;
    try {
      return read(
          (x, y) -> copy(take(x, inputs, chosen), take(y, outputs, chosen), take(weights, 1, chosen), standardizer));
    } finally {
      if (weighted) {
        release();
      }
    }
  }

  private static FloatBuffer take(FloatBuffer values, int width, long[] chosen) {
    if (values == null) {
      return null;
    }
    FloatBuffer taken = room(chosen.length, width);
    for (long row : chosen) {
      taken.put(values.slice((int) row * width, width));
    }
    return taken.flip();
  }

  private Dataset copy(FloatBuffer x, FloatBuffer y, FloatBuffer weights, Standardizer standardizer) {
    return new Dataset(x, y, weights, inputs, outputs, inputNames, targetNames, classNames, standardizer);
  }

  /** Of weighted rows: gives {@code reader} the weights, [rows], to read while it runs. */
  <T> T readWeights(Function<FloatBuffer, T> reader) {
    rs_dataset rows = acquire();
    try {
      return reader.apply(weights(rows).asReadOnlyBuffer());
    } finally {
      release();
    }
  }

  private FloatBuffer weights(rs_dataset dataset) {
    FloatPointer weights = new FloatPointer((Pointer) null);
    Native.check(Engine.rs_dataset_weights(dataset, weights));
    return weights.capacity(rows).asBuffer();
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
          FloatBuffer weights = weighted ? weights(handle.get()) : null;
          Dataset copy = copy(x, y, weights, standardizer);
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

  /**
   * A copy of the rows of all, one after the other, as they are; it counts as not standardized.
   *
   * @param parts at least one, all of one shape, and with weights or all without
   */
  static Dataset stacked(List<Dataset> parts) {
    Dataset first = parts.get(0);
    long rows = 0;
    for (Dataset part : parts) {
      if (part.inputs != first.inputs || part.outputs != first.outputs || part.weighted != first.weighted) {
        throw new IllegalArgumentException("rows of several models must have the same columns, and weights or none");
      }
      rows += part.rows;
    }
    FloatBuffer x = room(rows, first.inputs);
    FloatBuffer y = room(rows, first.outputs);
    FloatBuffer weights = first.weighted ? room(rows, 1) : null;
    for (Dataset part : parts) {
      part.read(
          (ownX, ownY) -> {
            x.put(ownX);
            return y.put(ownY);
          });
      if (weights != null) {
        part.readWeights(weights::put);
      }
    }
    return first.copy(x.flip(), y.flip(), weights == null ? null : weights.flip(), null);
  }

  private static FloatBuffer room(long rows, int width) {
    return ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(rows, (long) width * Float.BYTES)))
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer();
  }

  /** A copy with these of the rows, in this order. */
  Dataset inOrder(long[] order) {
    return pick(order);
  }

  /** A copy whose rows {@code change} may change, and which then counts as standardized by {@code standardizer}. */
  Dataset changed(BiConsumer<FloatBuffer, FloatBuffer> change, Standardizer standardizer) {
    return read(
        (x, y) -> {
          Dataset copy = copy(x, y, null, standardizer);
          copy.buffers(
              copy.acquire(),
              (ownX, ownY) -> {
                change.accept(ownX, ownY);
                return null;
              });
          copy.release();
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

  /** Names of the classes that the targets number; empty where they are numbers of their own. */
  public List<String> classNames() {
    return classNames;
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
