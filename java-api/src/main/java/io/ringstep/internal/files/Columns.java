package io.ringstep.internal.files;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A matrix from a file, to take columns from.
 *
 * @param source where it comes from
 * @param names the columns' names; empty where the file gives none
 * @param rows number of rows, at least 1
 * @param width number of columns, at least 1
 * @param data [rows, width], row-major, finite
 */
record Columns(Source source, List<String> names, long rows, int width, FloatBuffer data) {
  /** The columns of a CSV file. */
  static Columns of(CsvFile csv, Source source) {
    return new Columns(source, csv.names(), csv.rows(), csv.names().size(), csv.data());
  }

  /** An array of two dimensions, or of one where that stands for a single column. */
  static Columns of(Tensor tensor, boolean vectorIsColumn, Source source) {
    long[] shape = tensor.shape();
    if (shape.length != 2 && !(shape.length == 1 && vectorIsColumn)) {
      throw source.invalid(
          "has shape " + Arrays.toString(shape) + "; a table has two dimensions, rows and columns");
    }
    if (tensor.elementCount() == 0) {
      throw source.invalid(
          "has shape " + Arrays.toString(shape) + "; a table has at least one row and one column");
    }
    int width = shape.length == 1 ? 1 : (int) shape[1];
    requireFinite(tensor.data(), width, source);
    return new Columns(source, List.of(), shape[0], width, tensor.data());
  }

  /** Only these columns. */
  Columns choose(int[] columns) {
    return new Columns(source, names(columns), rows, columns.length, take(columns));
  }

  /** Where the columns of these names are. */
  int[] indexes(List<String> wanted) {
    source.requireNames("column", wanted, names);
    return wanted.stream().mapToInt(names::indexOf).toArray();
  }

  /** The names of some columns; empty where the file gives none. */
  List<String> names(int[] columns) {
    return names.isEmpty() ? List.of() : Arrays.stream(columns).mapToObj(names::get).toList();
  }

  /** [rows, columns], row-major. */
  FloatBuffer take(int[] columns) {
    if (Arrays.equals(columns, IntStream.range(0, width).toArray())) {
      return data;
    }
    FloatBuffer taken = GrowableFloats.allocate(source, rows * columns.length);
    for (int row = 0; row < data.limit(); row += width) {
      for (int column : columns) {
        taken.put(data.get(row + column));
      }
    }
    return taken.flip();
  }

  private static void requireFinite(FloatBuffer data, int width, Source source) {
    for (int i = 0; i < data.limit(); i++) {
      float value = data.get(i);
      if (!Float.isFinite(value)) {
        throw source.invalid(
            "has "
                + value
                + " in row "
                + (i / width + 1)
                + ", column "
                + (i % width + 1)
                + "; every value must be a finite number");
      }
    }
  }
}
