package io.ringstep.internal.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A {@code .safetensors} file: 8 bytes with the header's length, the header, then the data of every
 * tensor, little-endian.
 *
 * @param tensors in the order of their data
 * @param metadata the user's own strings
 */
public record SafetensorsFile(List<Tensor> tensors, Map<String, String> metadata) {
  /** The reference implementation's limit. */
  private static final long LARGEST_HEADER = 100_000_000;

  /**
   * Reads a whole file. F64, F16, BF16 and I8 become float32.
   *
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static SafetensorsFile read(Path file) {
    Source source = new Source(file);
    try (FileChannel channel = source.openRegular()) {
      // Tensors follow each other without holes, so one pass from front to back reads them all.
      InputStream in = Channels.newInputStream(channel);
      long size = channel.size();
      long headerBytes = headerLength(in, size, source);
      SafetensorsHeader header =
          SafetensorsHeader.parse(
              in.readNBytes((int) headerBytes), size - Long.BYTES - headerBytes, source);
      List<Tensor> tensors = new ArrayList<>();
      for (SafetensorsHeader.Entry entry : header.entries()) {
        tensors.add(readTensor(in, entry, source.part(entry.label())));
      }
      return new SafetensorsFile(List.copyOf(tensors), Map.copyOf(header.metadata()));
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  /** The tensor of this name. */
  public Optional<Tensor> tensor(String name) {
    return tensors.stream().filter(tensor -> tensor.name().equals(name)).findFirst();
  }

  /**
   * Writes a whole file or nothing.
   *
   * @param tensors written in this order; their names differ
   * @param metadata may be empty
   */
  public static void write(Path file, List<Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    SafetensorsHeader.requireWritableNames(tensors);
    byte[] header = SafetensorsHeader.format(tensors, metadata);
    AtomicFile.write(
        file,
        out -> {
          out.write(littleEndian(header.length));
          out.write(header);
          for (Tensor tensor : tensors) {
            tensor.type().write(tensor.data(), out);
          }
        });
  }

  private static long headerLength(InputStream in, long size, Source source) throws IOException {
    if (size < Long.BYTES) {
      throw source.invalid("is not a .safetensors file: it has " + size + " bytes, fewer than 8");
    }
    long length =
        ByteBuffer.wrap(in.readNBytes(Long.BYTES)).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 0 || length > LARGEST_HEADER) {
      throw source.invalid(
          "is not a .safetensors file: its header would have "
              + Long.toUnsignedString(length)
              + " bytes, where at most "
              + LARGEST_HEADER
              + " are allowed");
    }
    if (length > size - Long.BYTES) {
      throw source.truncated(length - (size - Long.BYTES));
    }
    return length;
  }

  /** The header was checked against the file's size, so it may be believed. */
  private static Tensor readTensor(InputStream in, SafetensorsHeader.Entry entry, Source source)
      throws IOException {
    long count = Tensor.elementCount(entry.shape());
    GrowableFloats floats = new GrowableFloats(source, count);
    entry.type().read(in, ByteOrder.LITTLE_ENDIAN, count, floats, source);
    return new Tensor(entry.name(), entry.shape(), floats.toBuffer(), entry.type());
  }

  private static byte[] littleEndian(long value) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }
}
