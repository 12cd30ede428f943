package io.ringstep.internal.files;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** A {@code .npz} file: a zip archive of {@code .npy} arrays, compressed or not. */
public final class NpzFile {
  private static final String SUFFIX = ".npy";

  /** An entry's size is the archive's claim; memory beyond this waits for the data itself. */
  private static final long BELIEVED_ELEMENTS = 1 << 16;

  private NpzFile() {}

  /**
   * Reads every array, in the file's order.
   *
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static Map<String, Tensor> read(Path file) {
    return read(file, (arrays, source) -> arrays.keySet());
  }

  /**
   * Reads the arrays {@code names}, in this order, and leaves others alone, whatever they hold.
   *
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed, or lacks one
   */
  public static Map<String, Tensor> read(Path file, Collection<String> names) {
    return read(
        file,
        (arrays, source) -> {
          source.requireNames("array", names, arrays.keySet());
          return names;
        });
  }

  private interface Selection {
    Collection<String> of(Map<String, ZipEntry> arrays, Source source);
  }

  private static Map<String, Tensor> read(Path file, Selection selection) {
    Source source = new Source(file);
    try {
      source.openRegular().close();
      try (ZipFile zip = new ZipFile(file.toFile())) {
        Map<String, ZipEntry> arrays = arrays(zip, source);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (String name : selection.of(arrays, source)) {
          tensors.put(name, readArray(zip, arrays.get(name), name, source));
        }
        return tensors;
      }
    } catch (ZipException | EOFException | IllegalArgumentException e) {
      // ZipFile reports an entry's name that is not text as an IllegalArgumentException.
      throw source.invalid(
          "is not a sound zip archive: " + e.getMessage() + "; make or fetch it again");
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  private static Map<String, ZipEntry> arrays(ZipFile zip, Source source) {
    Map<String, ZipEntry> arrays = new LinkedHashMap<>();
    for (ZipEntry entry : Collections.list(zip.entries())) {
      String file = entry.getName();
      if (file.endsWith(SUFFIX)) {
        String name = file.substring(0, file.length() - SUFFIX.length());
        if (arrays.put(name, entry) != null) {
          throw source.part(label(name)).invalid("is in the file twice; keep one");
        }
      }
    }
    return arrays;
  }

  private static Tensor readArray(ZipFile zip, ZipEntry entry, String name, Source source)
      throws IOException {
    Source array = source.part(label(name));
    try (CheckedInputStream in = new CheckedInputStream(zip.getInputStream(entry), new CRC32())) {
      Tensor tensor = NpyFile.read(in, entry.getSize(), BELIEVED_ELEMENTS, name, array);
      if (in.read() >= 0 || in.getChecksum().getValue() != entry.getCrc()) {
        throw array.invalid(
            "does not match its checksum; the file is damaged, make or fetch it again");
      }
      return tensor;
    }
  }

  private static String label(String name) {
    return "array " + Source.quote(name);
  }
}
