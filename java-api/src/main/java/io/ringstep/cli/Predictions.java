package io.ringstep.cli;

import de.siegmar.fastcsv.writer.CsvWriter;
import de.siegmar.fastcsv.writer.LineDelimiter;
import io.ringstep.Model;
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
  private final Table rows;
  private final int outputs;

  Predictions(List<Model> models, Table rows) {
    this.models = models;
    this.rows = rows;
    this.outputs = models.get(0).network().outputs();
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
      out.write(text.toString().getBytes(StandardCharsets.US_ASCII));
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
    return models.stream().map(model -> model.predict(x)).toArray(float[][]::new);
  }

  private void appendLine(StringBuilder text, float[][] answers, int row) {
    for (float[] ofModel : answers) {
      for (int i = 0; i < outputs; i++) {
        text.append(ofModel[row * outputs + i]).append(',');
      }
    }
    text.setCharAt(text.length() - 1, '\n');
  }

  private String header() throws IOException {
    List<String> columns = new ArrayList<>();
    for (int model = 0; model < models.size(); model++) {
      for (int output = 0; output < outputs; output++) {
        columns.add(name(output) + (models.size() == 1 ? "" : "_" + model));
      }
    }
    StringWriter text = new StringWriter();
    try (CsvWriter csv = CsvWriter.builder().lineDelimiter(LineDelimiter.LF).build(text)) {
      csv.writeRecord(columns);
    }
    return text.toString();
  }

  private String name(int output) {
    List<String> names = models.get(0).targetNames();
    if (!names.isEmpty()) {
      return names.get(output);
    }
    return outputs == 1 ? "y" : "y" + (output + 1);
  }
}
