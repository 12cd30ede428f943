package io.ringstep.internal.files;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Reads samples from CSV, {@code .npy}, {@code .npz} and {@code .safetensors} files. */
public final class TableReader {
  private TableReader() {}

  /**
   * Reads inputs and targets: {@code x} and {@code y} of {@code .npz} and {@code .safetensors}; of
   * CSV and {@code .npy}, columns.
   *
   * @param targets names of the CSV columns that are the targets, in this order; if empty, they are
   *     the last {@code outputs} columns
   * @param outputs number of targets where {@code targets} is empty, at least 1
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static Table readTraining(Path file, List<String> targets, int outputs) {
    return readTraining(file, targets, outputs, null, false, List.of());
  }

  /**
   * Reads inputs, targets and what goes with them.
   *
   * @param targets names of the CSV columns that are the targets, in this order; if empty, they are
   *     the last {@code outputs} columns
   * @param outputs number of targets where {@code targets} is empty, at least 1
   * @param weights name of the CSV column, or of the array, that holds the rows' weights; or null
   * @param classes whether the one target is a class; in CSV, any text
   * @param classNames the classes of a CSV file in their order; if empty, those that it holds
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static Table readTraining(
      Path file, List<String> targets, int outputs, String weights, boolean classes, List<String> classNames) {
    requireTargets(targets, outputs);
    Source source = new Source(file);
    FileFormat format = FileFormat.of(source);
    if (format != FileFormat.CSV && !targets.isEmpty()) {
      throw source.invalid("has no column names to find targets by; name none, or use a CSV file");
    }
    return switch (format) {
      case CSV -> {
        String target = targets.isEmpty() ? null : targets.get(0);
        CsvFile csv =
            CsvFile.read(file, classes ? new ClassColumn(source, target, weights, classNames) : null);
        yield split(Columns.of(csv, source), targets, outputs, weights, csv.classNames());
      }
      case NPY -> {
        if (weights != null) {
          throw source.invalid("has no column names to find weights by; use a CSV, .npz or .safetensors file");
        }
        yield split(npy(source), targets, outputs, null, List.of());
      }
      case NPZ, SAFETENSORS ->
          join(arrays(source, format, weights == null ? List.of("x", "y") : List.of("x", "y", weights)), weights, source);
    };
  }

  /**
   * Reads inputs alone: {@code x} of {@code .npz} and {@code .safetensors}; of CSV and {@code
   * .npy}, columns. The table has 0 outputs.
   *
   * @param featureNames names of the CSV columns that are the inputs, in this order; if empty, and
   *     in a {@code .npy} file, the inputs are the only columns, or the first with {@code outputs}
   *     more
   * @param inputs number of inputs
   * @param outputs number of targets that may follow the inputs
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static Table readFeatures(Path file, List<String> featureNames, int inputs, int outputs) {
    return readFeatures(file, featureNames, inputs, outputs, null);
  }

  /** @param classes name of a CSV column that may be there and hold any text; or null */
  public static Table readFeatures(
      Path file, List<String> featureNames, int inputs, int outputs, String classes) {
    if (!featureNames.isEmpty() && featureNames.size() != inputs) {
      throw new IllegalArgumentException(
          featureNames.size() + " feature names are given for " + inputs + " inputs");
    }
    Source source = new Source(file);
    FileFormat format = FileFormat.of(source);
    return switch (format) {
      case CSV -> {
        ClassColumn ignored = classes == null ? null : new ClassColumn(source, classes, null, List.of());
        Columns csv = Columns.of(CsvFile.read(file, ignored), source);
        yield features(
            csv,
            featureNames.isEmpty()
                ? firstColumns(csv, inputs, outputs)
                : csv.indexes(featureNames));
      }
      case NPY -> {
        Columns npy = npy(source);
        yield features(npy, firstColumns(npy, inputs, outputs));
      }
      case NPZ, SAFETENSORS -> {
        Columns x = arrays(source, format, List.of("x")).get("x");
        yield features(x, firstColumns(x, inputs, 0));
      }
    };
  }

  /**
   * Reads inputs and targets of a CSV file whose column {@code group} names every row's group.
   *
   * @param targets as of {@link #readTraining}
   * @param outputs as of {@link #readTraining}
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed, or is not CSV
   */
  public static GroupedTable readGrouped(Path file, String group, List<String> targets, int outputs) {
    requireTargets(targets, outputs);
    if (targets.contains(group)) {
      throw new IllegalArgumentException("column '" + group + "' cannot be both a target and the group");
    }
    CsvFile.Labelled csv = labelled(file, group);
    return new GroupedTable(split(without(group, csv.csv(), file), targets, outputs, null, List.of()), csv.labels());
  }

  /**
   * Reads inputs alone of a CSV file whose column {@code group} names every row's group.
   *
   * @param featureNames as of {@link #readFeatures}
   * @param inputs as of {@link #readFeatures}
   * @param outputs as of {@link #readFeatures}
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed, or is not CSV
   */
  public static GroupedTable readGroupedFeatures(
      Path file, String group, List<String> featureNames, int inputs, int outputs) {
    CsvFile.Labelled labelled = labelled(file, group);
    Columns csv = without(group, labelled.csv(), file);
    int[] x = featureNames.isEmpty() ? firstColumns(csv, inputs, outputs) : csv.indexes(featureNames);
    return new GroupedTable(features(csv, x), labelled.labels());
  }

  private static CsvFile.Labelled labelled(Path file, String group) {
    Source source = new Source(file);
    if (FileFormat.of(source) != FileFormat.CSV) {
      throw source.invalid("has no column names to find the group by; use a CSV file");
    }
    return CsvFile.readLabelled(file, group);
  }

  /** The columns but one. */
  private static Columns without(String name, CsvFile csv, Path file) {
    Source source = new Source(file);
    Columns all = Columns.of(csv, source);
    int[] kept = IntStream.range(0, all.width()).filter(column -> !csv.names().get(column).equals(name)).toArray();
    if (kept.length == 0) {
      throw source.invalid("has no column but " + Source.quote(name) + ", which names the groups; add inputs and targets");
    }
    return all.choose(kept);
  }

  private static void requireTargets(List<String> targets, int outputs) {
    if (targets.isEmpty() && outputs < 1) {
      throw new IllegalArgumentException("outputs must be at least 1, but is " + outputs);
    }
    if (new HashSet<>(targets).size() < targets.size()) {
      throw new IllegalArgumentException(
          "targets name a column twice: " + String.join(", ", targets));
    }
  }

  private static Columns npy(Source source) {
    return Columns.of(NpyFile.read(source.file()), false, source);
  }

  /** The arrays {@code names} of a file that names its arrays. */
  private static Map<String, Columns> arrays(Source source, FileFormat format, List<String> names) {
    Map<String, Tensor> tensors =
        format == FileFormat.NPZ
            ? NpzFile.read(source.file(), names)
            : tensors(SafetensorsFile.read(source.file()));
    source.requireNames("array", names, tensors.keySet());
    Map<String, Columns> arrays = new LinkedHashMap<>();
    for (String name : names) {
      arrays.put(name, Columns.of(tensors.get(name), true, source.part("array '" + name + "'")));
    }
    return arrays;
  }

  private static Map<String, Tensor> tensors(SafetensorsFile file) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    file.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
    return tensors;
  }

  /** Inputs and targets from the columns of one matrix. */
  private static Table split(
      Columns columns, List<String> targets, int outputs, String weights, List<String> classNames) {
    int[] w = weights == null ? new int[0] : columns.indexes(List.of(weights));
    int[] others = IntStream.range(0, columns.width()).filter(column -> w.length == 0 || column != w[0]).toArray();
    int width = others.length;
    int wanted = targets.isEmpty() ? outputs : targets.size();
    int[] y =
        targets.isEmpty()
            ? Arrays.copyOfRange(others, Math.max(0, width - wanted), width)
            : columns.indexes(targets);
    if (weights != null && targets.contains(weights)) {
      throw columns.source().invalid("column " + Source.quote(weights) + " cannot be both a target and the weights");
    }
    if (wanted >= width) {
      throw columns
          .source()
          .invalid(
              "has "
                  + width
                  + " columns, too few for "
                  + wanted
                  + " targets and at least one input");
    }
    boolean[] isTarget = new boolean[columns.width()];
    IntStream.of(y).forEach(column -> isTarget[column] = true);
    int[] x = IntStream.of(others).filter(column -> !isTarget[column]).toArray();
    return new Table(
        columns.names(x),
        columns.names(y),
        columns.rows(),
        x.length,
        y.length,
        columns.take(x),
        columns.take(y),
        w.length == 0 ? null : requireWeights(columns.take(w), columns.source()),
        classNames);
  }

  /** Inputs and targets from two matrices. */
  private static Table join(Map<String, Columns> arrays, String weights, Source source) {
    Columns x = arrays.get("x");
    Columns y = arrays.get("y");
    if (x.rows() != y.rows()) {
      throw source.invalid(
          "array 'x' has "
              + x.rows()
              + " rows but array 'y' has "
              + y.rows()
              + "; every row of x needs its row of y");
    }
    FloatBuffer w = null;
    if (weights != null) {
      Columns own = arrays.get(weights);
      if (own.rows() != x.rows() || own.width() != 1) {
        throw source.invalid("array '" + weights + "' must have one weight for each of the " + x.rows() + " rows");
      }
      w = requireWeights(own.data(), own.source());
    }
    return new Table(List.of(), List.of(), x.rows(), x.width(), y.width(), x.data(), y.data(), w, List.of());
  }

  private static FloatBuffer requireWeights(FloatBuffer weights, Source source) {
    for (int i = 0; i < weights.limit(); i++) {
      if (weights.get(i) < 0) {
        throw source.invalid("has the weight " + weights.get(i) + " in row " + (i + 1) + "; a weight is at least 0");
      }
    }
    return weights;
  }

  private static Table features(Columns columns, int[] x) {
    FloatBuffer none = GrowableFloats.allocate(columns.source(), 0);
    return new Table(
        columns.names(x), List.of(), columns.rows(), x.length, 0, columns.take(x), none, null, List.of());
  }

  private static int[] firstColumns(Columns columns, int inputs, int ignored) {
    int width = columns.width();
    if (width != inputs && width != inputs + ignored) {
      String orMore =
          ignored == 0
              ? ""
              : ", or " + (inputs + ignored) + " whose last " + ignored + " are ignored";
      throw columns
          .source()
          .invalid(
              "has "
                  + width
                  + " columns where the model takes "
                  + inputs
                  + " inputs; give it "
                  + inputs
                  + " columns"
                  + orMore);
    }
    return IntStream.range(0, inputs).toArray();
  }
}
