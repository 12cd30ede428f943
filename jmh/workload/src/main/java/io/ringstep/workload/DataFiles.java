package io.ringstep.workload;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes the problem and float64's answers as plain little-endian files, for peers in other languages: {@code start.f32},
 * {@code x.f32}, {@code y.f32} (2^20 rows), and {@code weights-BATCH.f64} after 100 steps of that batch.
 */
public final class DataFiles {
  private static final int ROWS = 1 << 20;
  private static final int STEPS = 100;

  private DataFiles() {}

  public static void main(String[] args) throws IOException {
    Path folder = Files.createDirectories(Path.of(args[0]));
    Problem problem = new Problem(ROWS);
    write(folder.resolve("start.f32"), Problem.start());
    write(folder.resolve("x.f32"), problem.x);
    write(folder.resolve("y.f32"), problem.y);
    for (int batch : new int[] {1, 64}) {
      double[] weights = Float64.train(problem, batch, STEPS);
      ByteBuffer bytes = ByteBuffer.allocate(weights.length * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asDoubleBuffer().put(weights);
      Files.write(folder.resolve("weights-" + batch + ".f64"), bytes.array());
    }
  }

  private static void write(Path file, float[] values) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(bytes.array());
    }
  }
}
