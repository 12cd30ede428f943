package io.ringstep.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;

/** Small files to train on. */
final class Samples {
  private Samples() {}

  /** 60 rows of {@code a,b,c,price}, with price = 3a - 2b + 40 and c of no use. */
  static Path csv(Path folder) throws IOException {
    Random random = new Random(1);
    StringBuilder text = new StringBuilder("a,b,c,price\n");
    for (int row = 0; row < 60; row++) {
      double a = random.nextDouble() * 10;
      double b = random.nextDouble();
      double c = random.nextDouble() - 5;
      text.append(String.format(Locale.ROOT, "%.4f,%.4f,%.4f,%.4f%n", a, b, c, 3 * a - 2 * b + 40));
    }
    return Files.writeString(folder.resolve("samples.csv"), text);
  }

  /** A {@code .safetensors} file with this header, true or not. */
  static Path safetensors(Path file, String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json);
    return Files.write(file, bytes.array());
  }

  /** A {@code .npy} file of this header and type. */
  static Path npy(Path file, String descr, String shape, int dataBytes) throws IOException {
    String header =
        "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
    byte[] padded = (header + " ".repeat(117 - header.length()) + "\n").getBytes(StandardCharsets.US_ASCII);
    ByteBuffer bytes =
        ByteBuffer.allocate(10 + padded.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII)).put((byte) 1).put((byte) 0);
    bytes.putShort((short) padded.length).put(padded);
    return Files.write(file, bytes.array());
  }
}
