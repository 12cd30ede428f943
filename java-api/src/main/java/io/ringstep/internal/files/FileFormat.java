package io.ringstep.internal.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.util.Locale;

/** The kinds of file that hold tables. */
enum FileFormat {
  CSV,
  NPY,
  NPZ,
  SAFETENSORS;

  private static final int LONGEST_MAGIC = 9;

  /** By the name's extension, or else by the first bytes; what has neither is CSV. */
  static FileFormat of(Source source) {
    String name = source.file().toString().toLowerCase(Locale.ROOT);
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "csv", "tsv", "txt" -> CSV;
      case "npy" -> NPY;
      case "npz" -> NPZ;
      case "safetensors" -> SAFETENSORS;
      default -> Files.isRegularFile(source.file()) ? byFirstBytes(source) : CSV;
    };
  }

  private static FileFormat byFirstBytes(Source source) {
    try (FileChannel channel = source.open()) {
      ByteBuffer bytes =
          ByteBuffer.wrap(Channels.newInputStream(channel).readNBytes(LONGEST_MAGIC));
      if (startsWith(bytes, 0x93, 'N', 'U', 'M', 'P', 'Y')) {
        return NPY;
      }
      if (startsWith(bytes, 'P', 'K')) {
        return NPZ;
      }
      // After the 8 bytes of its length, a safetensors header begins with a brace.
      boolean brace = bytes.limit() == LONGEST_MAGIC && bytes.get(Long.BYTES) == '{';
      return brace && bytes.get(Long.BYTES - 1) == 0 ? SAFETENSORS : CSV;
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  private static boolean startsWith(ByteBuffer bytes, int... magic) {
    if (bytes.limit() < magic.length) {
      return false;
    }
    for (int i = 0; i < magic.length; i++) {
      if (bytes.get(i) != (byte) magic[i]) {
        return false;
      }
    }
    return true;
  }
}
