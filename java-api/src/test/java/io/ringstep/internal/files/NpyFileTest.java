package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.ascii;
import static io.ringstep.internal.files.TestFiles.assertRefused;
import static io.ringstep.internal.files.TestFiles.join;
import static io.ringstep.internal.files.TestFiles.npy;
import static io.ringstep.internal.files.TestFiles.range;
import static io.ringstep.internal.files.TestFiles.tensor;
import static io.ringstep.internal.files.TestFiles.values;
import static io.ringstep.internal.files.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class NpyFileTest {
  private static final String VECTOR_OF_4 = "'fortran_order': False, 'shape': (4,), }";

  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = directory.resolve("data.npy");
  }

  static Stream<long[]> shapes() {
    return Stream.of(
        new long[0], new long[] {24}, new long[] {2, 12}, new long[] {2, 3, 4}, new long[] {0, 5});
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void readsWhatItWrote(long[] shape) throws IOException {
    int count = (int) Tensor.elementCount(shape);
    NpyFile.write(file, tensor("", range(count), shape));

    Tensor read = NpyFile.read(file);

    assertArrayEquals(shape, read.shape());
    assertArrayEquals(range(count), values(read.data()));
  }

  @Test
  void writesNumPysLayout() {
    byte[] bytes = npy(tensor("", range(6), 2, 3));
    String header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assertEquals(128 + 24, bytes.length);
    assertArrayEquals(
        join(ascii("\u0093NUMPY\1\0v\0" + header)), Arrays.copyOf(bytes, 10 + header.length()));
    assertEquals('\n', bytes[127]);
  }

  @ParameterizedTest
  @CsvSource({
    "<f2, 2, 15360",
    "<f4, 4, 1065353216",
    "<f8, 8, 4607182418800017408",
    "|i1, 1, 1",
    "<i2, 2, 1",
    "<i4, 4, 1",
    "<i8, 8, 1",
    "|u1, 1, 1",
    "<u2, 2, 1",
    "<u4, 4, 1",
    "<u8, 8, 1",
    "|b1, 1, 1"
  })
  void readsEveryNumberTypeInBothByteOrders(String descr, int size, long one) {
    byte[] little = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(one).array();
    assertReadsOne(descr, Arrays.copyOf(little, size));
    byte[] big = ByteBuffer.allocate(8).putLong(one).array();
    assertReadsOne(descr.replace('<', '>'), Arrays.copyOfRange(big, 8 - size, 8));
  }

  private void assertReadsOne(String descr, byte[] element) {
    String header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }";
    write(file, npy(header, element));
    assertArrayEquals(new float[] {1}, values(NpyFile.read(file).data()), descr);
  }

  @Test
  void transposesFortranOrder() {
    byte[] data = new byte[24];
    // a[i, j, k] = 100 i + 10 j + k, the first index fastest.
    for (int i = 0, n = 0; n < 24; n++, i = (i + 1) % 2) {
      data[n] = (byte) (100 * i + 10 * (n / 2 % 3) + n / 6);
    }
    write(file, npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", data));
    float[] expected = new float[24];
    for (int n = 0; n < 24; n++) {
      expected[n] = 100 * (n / 12) + 10 * (n / 4 % 3) + n % 4;
    }
    assertArrayEquals(expected, values(NpyFile.read(file).data()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'shape':(4,),'fortran_order':False,'descr':'|u1'}",
        "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (4,)}   ",
        " { 'descr' : '|u1' , 'fortran_order' : True , 'shape' : ( 4 , ) , } ",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2,)}"
      })
  void acceptsPythonsSpellings(String header) {
    write(file, npy(header, new byte[] {0, 1, 2, 3}));
    assertArrayEquals(range(4), values(NpyFile.read(file).data()));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void readsLaterVersions(int version) {
    byte[] header =
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }\n"
            .getBytes(StandardCharsets.UTF_8);
    byte[] start = {
      (byte) 0x93, 'N', 'U', 'M', 'P', 'Y', (byte) version, 0, (byte) header.length, 0, 0, 0
    };
    write(file, join(start, header, new byte[] {7, 1}));
    assertEquals(263, NpyFile.read(file).data().get(0));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{}",
        "{",
        "[]",
        "{'descr': '|u1', " + VECTOR_OF_4 + "x",
        "{'descr': '|u1', 'shape': (4,), }",
        "{'descr': '|u1', 'extra': 1, " + VECTOR_OF_4,
        "{'descr': '|u1', 'descr': '|u1', " + VECTOR_OF_4,
        "{'descr': '|u1' " + VECTOR_OF_4,
        "{'descr': '|u1, " + VECTOR_OF_4,
        "{'descr': 1, " + VECTOR_OF_4,
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (4,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 4, }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2 2), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4,,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4.0,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4,",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-4,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808,), }"
      })
  void refusesMalformedHeaders(String header) {
    refused(npy(header, new byte[4]), "has a ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"<c8", "<U1", "|S4", "<M8[s]", "<f16", "f4", "|f4", "<x4", "", "<", "<f", "b1"})
  void refusesOtherTypes(String descr) {
    refused(
        npy("{'descr': '" + descr + "', " + VECTOR_OF_4, new byte[16]),
        "dtype '" + descr + "'",
        "astype");
  }

  @Test
  void refusesObjectsAndRecords() {
    refused(npy("{'descr': '|O', " + VECTOR_OF_4, new byte[99]), "Python objects", "pickle");
    refused(npy("{'descr': [('a', '<f4')], " + VECTOR_OF_4, new byte[16]), "several fields");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "(4,)                                  | 3 | ends 1 bytes early",
        "(4,)                                  | 5 | 1 bytes after its last element",
        "()                                    | 0 | ends 1 bytes early",
        "(9223372036854775807,)                | 4 | bytes early",
        "(1000000, 1000000, 1000)              | 4 | bytes early",
        "(4294967296, 4294967296)              | 4 | more than any file holds",
        "(9223372036854775807, 9223372036854775807, 0) | 4 | more than any file holds",
        "(0, 3)                                | 4 | 4 bytes after its last element"
      })
  void refusesShapesThatLie(String shape, int bytes, String problem) {
    refused(
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }", new byte[bytes]),
        problem);
  }

  @Test
  void refusesOtherFilesAndVersions() {
    refused(ascii("a,b\n1,2\n3,4"), "does not begin with");
    refused(ascii("\u0093NUM"), "does not begin with");
    refused(ascii("\u0093NUMPY\4\0\0\0"), "version 4.0");
    refused(ascii("\u0093NUMPY\1\1\0\0"), "version 1.1");
    refused(ascii("\u0093NUMPY\1\0"), "truncated");
    refused(ascii("\u0093NUMPY\1\0\u00ff\u00ff{"), "truncated");
    refused(ascii("\u0093NUMPY\2\0\u00ff\u00ff\u00ff\u00ff{"), "header of 4294967295 bytes");
  }

  @Test
  void refusesDoublesBeyondFloat32() {
    byte[] huge =
        ByteBuffer.allocate(16)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putDouble(1)
            .putDouble(1e300)
            .array();
    refused(
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", huge),
        "number 2 is 1.0E300");
  }

  @Test
  void refusesWhatIsNoFile() {
    assertRefused(file, () -> NpyFile.read(file), "no such file");
    assertRefused(directory, () -> NpyFile.read(directory), "is a directory");
    refused(new byte[0], "is empty");
  }

  /** A sparse file of the claimed size: only its memory would be real. */
  @Test
  void refusesMoreThanOneBufferHolds() throws IOException {
    long count = 1L << 30;
    byte[] start = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (" + count + ",), }");
    try (var channel = Files.newByteChannel(write(file, start), StandardOpenOption.WRITE)) {
      channel.position(start.length + count - 1).write(ByteBuffer.allocate(1));
    }
    assertRefused(file, () -> NpyFile.read(file), "more than 536870911 numbers", "split");
  }

  private void refused(byte[] bytes, String... words) {
    write(file, bytes);
    assertRefused(file, () -> NpyFile.read(file), words);
  }
}
