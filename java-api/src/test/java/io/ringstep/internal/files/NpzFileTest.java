package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.ascii;
import static io.ringstep.internal.files.TestFiles.assertRefused;
import static io.ringstep.internal.files.TestFiles.npy;
import static io.ringstep.internal.files.TestFiles.npz;
import static io.ringstep.internal.files.TestFiles.range;
import static io.ringstep.internal.files.TestFiles.tensor;
import static io.ringstep.internal.files.TestFiles.values;
import static io.ringstep.internal.files.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NpzFileTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = directory.resolve("data.npz");
  }

  @Test
  void readsCompressedArrays() {
    write(file, npz(tensor("x", range(6), 3, 2), tensor("y", range(100_000), 100_000)));
    Map<String, Tensor> arrays = NpzFile.read(file);
    assertEquals(List.of("x", "y"), List.copyOf(arrays.keySet()));
    assertEquals("x", arrays.get("x").name());
    assertArrayEquals(new long[] {3, 2}, arrays.get("x").shape());
    assertArrayEquals(range(100_000), values(arrays.get("y").data()));
  }

  @Test
  void readsStoredArrays() throws IOException {
    writeStored(npy(tensor("x", range(6), 3, 2)));
    assertArrayEquals(range(6), values(NpzFile.read(file).get("x").data()));
  }

  @Test
  void readsOnlyWhatIsAskedFor() throws IOException {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      put(zip, "x.npy", npy(tensor("x", range(4), 2, 2)));
      put(
          zip,
          "names.npy",
          npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", (byte) 0));
      put(zip, "readme.txt", ascii("hello"));
    }
    assertEquals(Set.of("x"), NpzFile.read(file, List.of("x")).keySet());
    assertRefused(file, () -> NpzFile.read(file), "array 'names'", "Python objects");
    assertRefused(
        file, () -> NpzFile.read(file, List.of("y")), "no array 'y'; the arrays are x, names");
  }

  @Test
  void refusesWhatIsNoArchive() {
    assertRefused(file, () -> NpzFile.read(file), "no such file");
    assertRefused(directory, () -> NpzFile.read(directory), "is a directory");
    assertRefused(write(file, new byte[0]), () -> NpzFile.read(file), "is empty");
    assertRefused(
        write(file, ascii("no archive".repeat(10))),
        () -> NpzFile.read(file),
        "not a sound zip archive");
    byte[] whole = npz(tensor("x", range(6), 3, 2));
    write(file, Arrays.copyOf(whole, whole.length - 30));
    assertRefused(file, () -> NpzFile.read(file), "not a sound zip archive");
  }

  @Test
  void refusesDamagedArrays() throws IOException {
    byte[] damaged = writeStored(npy(tensor("x", range(6), 3, 2)));
    // The last element lies before the central directory, which names the entry again.
    int directoryAt = lastIndexOf(damaged, new byte[] {'P', 'K', 1, 2});
    damaged[directoryAt - 1] ^= 1;
    write(file, damaged);
    assertRefused(file, () -> NpzFile.read(file), "array 'x'", "checksum");
  }

  @Test
  void refusesShapesThatLie() throws IOException {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      put(
          zip,
          "x.npy",
          npy("{'descr': '<f4', 'fortran_order': False, 'shape': (300000000,), }", new byte[4]));
    }
    assertRefused(file, () -> NpzFile.read(file), "array 'x'", "ends 1199999996 bytes early");
  }

  /**
   * An archive whose directory claims the size that the array claims too: neither gets the memory.
   */
  @Test
  void refusesSizesThatLie() throws IOException {
    byte[] array =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (500000000,), }", new byte[4]);
    byte[] bytes = writeStored(array);
    int directoryAt = lastIndexOf(bytes, new byte[] {'P', 'K', 1, 2});
    int claimed = 2_000_000_000 + array.length - 4;
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(directoryAt + 24, claimed);
    write(file, bytes);
    assertRefused(file, () -> NpzFile.read(file));
  }

  /** A gigabyte of zeros in a megabyte: no more of it is read than the array says. */
  @Test
  void refusesBombs() throws IOException {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      zip.setLevel(1);
      zip.putNextEntry(new ZipEntry("x.npy"));
      zip.write(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"));
      writeZeros(zip, 1 << 30);
    }
    assertRefused(file, () -> NpzFile.read(file), "array 'x'", "bytes after its last element");
  }

  private byte[] writeStored(byte[] array) throws IOException {
    ZipEntry entry = new ZipEntry("x.npy");
    CRC32 crc = new CRC32();
    crc.update(array);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(array.length);
    entry.setCrc(crc.getValue());
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      zip.putNextEntry(entry);
      zip.write(array);
    }
    return Files.readAllBytes(file);
  }

  private static void put(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    zip.putNextEntry(new ZipEntry(name));
    zip.write(bytes);
  }

  private static void writeZeros(OutputStream out, int count) throws IOException {
    byte[] zeros = new byte[1 << 20];
    for (int i = 0; i < count / zeros.length; i++) {
      out.write(zeros);
    }
  }

  private static int lastIndexOf(byte[] bytes, byte[] part) {
    int index = bytes.length - part.length;
    while (!Arrays.equals(bytes, index, index + part.length, part, 0, part.length)) {
      index--;
    }
    return index;
  }
}
