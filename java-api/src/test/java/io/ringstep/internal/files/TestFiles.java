package io.ringstep.internal.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.InvalidDataException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.function.Executable;

/** Makes the files that the tests read, and looks at what came of them. */
final class TestFiles {
  private TestFiles() {}

  static Tensor tensor(String name, float[] values, long... shape) {
    return new Tensor(name, shape, direct(values));
  }

  static FloatBuffer direct(float... values) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(values.length * Float.BYTES);
    return bytes.order(ByteOrder.nativeOrder()).asFloatBuffer().put(values).flip();
  }

  static float[] values(FloatBuffer buffer) {
    float[] values = new float[buffer.remaining()];
    buffer.duplicate().get(values);
    return values;
  }

  /** 0, 1, 2, … */
  static float[] range(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = i;
    }
    return values;
  }

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  /** A safetensors file with any header over any data. */
  static byte[] safetensors(String json, int dataBytes) {
    byte[] header = json.getBytes(StandardCharsets.UTF_8);
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    return join(length.putLong(header.length).array(), header, new byte[dataBytes]);
  }

  /** A version 1.0 file with any header over any data. */
  static byte[] npy(String header, byte... data) {
    byte[] text = ascii(header + "\n");
    byte[] length = {(byte) text.length, (byte) (text.length >> 8)};
    return join(ascii("\u0093NUMPY\1\0"), length, text, data);
  }

  static byte[] npy(Tensor tensor) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      NpyFile.write(out, tensor);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** An archive of {@code tensors}, each under its own name. */
  static byte[] npz(Tensor... tensors) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      for (Tensor tensor : tensors) {
        zip.putNextEntry(new ZipEntry(tensor.name() + ".npy"));
        zip.write(npy(tensor));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** Runs {@code reading}, which must refuse the file in one line with these words. */
  static InvalidDataException assertRefused(Path file, Executable reading, String... words) {
    var e = assertThrows(InvalidDataException.class, reading);
    String message = e.getMessage();
    assertEquals(file, e.file());
    assertTrue(message.startsWith(file + ":"), message);
    assertFalse(message.contains("\n"), message);
    for (String word : words) {
      assertTrue(message.contains(word), () -> message + " lacks: " + word);
    }
    return e;
  }

  static Path write(Path file, byte[] bytes) {
    try {
      return Files.write(file, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
