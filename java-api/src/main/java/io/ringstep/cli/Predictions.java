package io.ringstep.cli;

import de.siegmar.fastcsv.writer.CsvWriter;
import de.siegmar.fastcsv.writer.LineDelimiter;
import io.ringstep.Loss;
import io.ringstep.GroupedModels;
import io.ringstep.Model;
import io.ringstep.internal.files.GroupedTable;
import io.ringstep.internal.files.Table;
import io.ringstep.internal.files.Tensor;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The answers of one or several models of a network to the rows of a table, computed in blocks. */
final class Predictions {
  private static final int BLOCK = 1 << 15;

  private final List<Model> models;
  private final GroupedModels grouped;
  private final List<String> groups;
  private final Table rows;
  private final int outputs;
  private final boolean overClasses;

  Predictions(List<Model> models, Table rows) {
    this(models, rows, null, null);
  }

  /** Every row by the model of its group. */
  Predictions(GroupedModels grouped, GroupedTable rows) {
    this(grouped.models().subList(0, 1), rows.table(), grouped, rows.groups());
  }

  private Predictions(List<Model> models, Table rows, GroupedModels grouped, List<String> groups) {
    this.models = models;
    this.grouped = grouped;
    this.groups = groups;
    this.rows = rows;
    this.outputs = models.get(0).network().outputs();
    this.overClasses = models.get(0).loss().kind() == Loss.Kind.CROSS_ENTROPY;
  }

  /** A header, then a line a row; numbers are the shortest that read back as the same float. */
  void writeCsv(OutputStream out) throws IOException {
    out.write(header().getBytes(StandardCharsets.UTF_8));
    StringBuilder text = new StringBuilder();
    for (long first = 0; first < rows.rows(); first += BLOCK) {
      float[][] answers = answers(first);
      text.setLength(0);
      for (int row = 0; row < answers[0].length / outputs; row++) {
        appendLine(text, answers, row);
      }
      out.write(text.toString().getBytes(StandardCharsets.UTF_8));
    }
    out.flush();
  }

  /** [rows, models x outputs]. */
  Tensor tensor() {
    int width = models.size() * outputs;
    FloatBuffer data =
        ByteBuffer.allocateDirect(Math.toIntExact(rows.rows() * width * Float.BYTES))
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
    for (long first = 0; first < rows.rows(); first += BLOCK) {
      float[][] answers = answers(first);
      for (int row = 0; row < answers[0].length / outputs; row++) {
        for (float[] ofModel : answers) {
          data.put(ofModel, row * outputs, outputs);
        }
      }
    }
    return new Tensor("", new long[] {rows.rows(), width}, data.flip());
  }

  /** Every model's answers to the block of rows from {@code first} on. */
  private float[][] answers(long first) {
    int count = (int) Math.min(BLOCK, rows.rows() - first);
    float[] x = new float[count * rows.inputs()];
    rows.x().get((int) first * rows.inputs(), x);
    if (grouped != null) {
      return new float[][] {grouped.predict(x, groups.subList((int) first, (int) first + count))};
    }
    return models.stream().map(model -> model.predict(x)).toArray(float[][]::new);
  }

  private void appendLine(StringBuilder text, float[][] answers, int row) {
    for (float[] ofModel : answers) {
      if (overClasses) {
        appendField(text, className(most(ofModel, row)));
      }
      for (int i = 0; i < outputs; i++) {
        text.append(ofModel[row * outputs + i]).append(',');
      }
    }
    text.setCharAt(text.length() - 1, '\n');
  }

  private String header() throws IOException {
    List<String> columns = new ArrayList<>();
    for (int model = 0; model < models.size(); model++) {
      String suffix = models.size() == 1 ? "" : "_" + model;
      if (overClasses) {
        columns.add(target() + suffix);
      }
      for (int output = 0; output < outputs; output++) {
        columns.add(name(output) + suffix);
      }
    }
    StringWriter text = new StringWriter();
    try (CsvWriter csv = CsvWriter.builder().lineDelimiter(LineDelimiter.LF).build(text)) {
      csv.writeRecord(columns);
    }
    return text.toString();
  }

  /** The most likely class of a row; the first of several. */
  private int most(float[] answers, int row) {
    int most = 0;
    for (int i = 1; i < outputs; i++) {
      most = answers[row * outputs + i] > answers[row * outputs + most] ? i : most;
    }
    return most;
  }

  private String className(int number) {
    List<String> names = models.get(0).classNames();
    return names.isEmpty() ? Integer.toString(number) : names.get(number);
  }

  private String target() {
    List<String> names = models.get(0).targetNames();
    return names.isEmpty() ? "y" : names.get(0);
  }

  private static void appendField(StringBuilder text, String field) {
    boolean quoted = field.chars().anyMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
    text.append(quoted ? '"' + field.replace("\"", "\"\"") + '"' : field).append(',');
  }

  private String name(int output) {
    if (overClasses) {
      return target() + "=" + className(output);
    }
    List<String> names = models.get(0).targetNames();
    if (!names.isEmpty()) {
      return names.get(output);
    }
    return outputs == 1 ? "y" : "y" + (output + 1);
  }
}
