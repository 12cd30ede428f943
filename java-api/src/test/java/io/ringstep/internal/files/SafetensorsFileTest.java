package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.assertRefused;
import static io.ringstep.internal.files.TestFiles.range;
import static io.ringstep.internal.files.TestFiles.safetensors;
import static io.ringstep.internal.files.TestFiles.tensor;
import static io.ringstep.internal.files.TestFiles.values;
import static io.ringstep.internal.files.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = directory.resolve("model.safetensors");
  }

  @Test
  void readsWhatItWrote() throws IOException {
    List<Tensor> tensors =
        List.of(
            tensor("fc1.weight", range(6), 2, 3),
            tensor("scalar", new float[] {-0.5f}),
            tensor("empty", new float[0], 0, 7),
            tensor("näme \"quoted\"\n", range(70_000), 70_000));
    SafetensorsFile.write(file, tensors, Map.of("activation", "relu", "note", "π \"\\"));

    SafetensorsFile read = SafetensorsFile.read(file);

    assertEquals(Map.of("activation", "relu", "note", "π \"\\"), read.metadata());
    assertEquals(tensors.size(), read.tensors().size());
    for (Tensor expected : tensors) {
      Tensor actual = read.tensor(expected.name()).orElseThrow();
      assertArrayEquals(expected.shape(), actual.shape());
      assertArrayEquals(values(expected.data()), values(actual.data()));
    }
  }

  @Test
  void writesTheReferenceLayout() throws IOException {
    SafetensorsFile.write(
        file, List.of(tensor("b", range(2), 2), tensor("a", range(1))), Map.of("z", "1", "a", "2"));

    byte[] bytes = Files.readAllBytes(file);
    int length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt();
    String header = new String(bytes, 8, length, StandardCharsets.UTF_8);

    assertEquals(0, length % 8);
    assertEquals(
        "{\"__metadata__\":{\"a\":\"2\",\"z\":\"1\"},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}",
        header.stripTrailing());
    assertEquals(8 + length + 12, bytes.length);
    assertEquals(
        1f, ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getFloat(8 + length + 4));
  }

  @Test
  void convertsOtherFloats() {
    byte[] bytes =
        safetensors(
            "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                + "\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[16,18]},"
                + "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[18,20]}}",
            20);
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    data.putDouble(bytes.length - 20, 0.1).putDouble(bytes.length - 12, Double.NEGATIVE_INFINITY);
    data.putShort(bytes.length - 4, (short) 0x3e00).putShort(bytes.length - 2, (short) 0xc040);

    SafetensorsFile read = SafetensorsFile.read(write(file, bytes));

    assertArrayEquals(
        new float[] {0.1f, Float.NEGATIVE_INFINITY}, values(read.tensor("d").orElseThrow().data()));
    assertArrayEquals(new float[] {1.5f}, values(read.tensor("h").orElseThrow().data()));
    assertArrayEquals(new float[] {-3f}, values(read.tensor("b").orElseThrow().data()));
    assertTrue(read.tensor("none").isEmpty());
  }

  @Test
  void refusesDoublesBeyondFloat32() {
    byte[] bytes =
        safetensors("{\"w\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putDouble(bytes.length - 8, -1e39);
    refused(bytes, "tensor 'w'", "number 2", "-1.0E39");
  }

  @ParameterizedTest
  @ValueSource(strings = {"I64", "BOOL", "F8_E4M3", "f32", ""})
  void refusesOtherTypes(String dtype) {
    refused(
        entry("\"dtype\":\"" + dtype + "\",\"shape\":[1],\"data_offsets\":[0,8]", 8),
        "tensor 'w' has dtype '" + dtype + "'",
        "save it as F32");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-1",
        "1.0",
        "1.5",
        "1e0",
        "-0",
        "1e999999999",
        "9223372036854775808",
        "18446744073709551617",
        "99999999999999999999999999",
        "\"1\"",
        "null",
        "true",
        "[1]"
      })
  void refusesSizesThatAreNotWholeNumbers(String number) {
    refused(
        entry("\"dtype\":\"F32\",\"shape\":[" + number + "],\"data_offsets\":[0,4]", 4),
        "tensor 'w'",
        "whole numbers from 0 to 2^63-1");
    refused(
        entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0," + number + "]", 4),
        "tensor 'w'",
        "whole numbers from 0 to 2^63-1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[2]",
        "[9223372036854775807]",
        "[4294967296,4294967296]",
        "[3037000500,3037000500]",
        "[0]",
        "[4611686018427387904,4]",
        "[9223372036854775807,9223372036854775807,0]"
      })
  void refusesShapesThatDoNotTakeTheirBytes(String shape) {
    refused(
        entry("\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[0,4]", 4),
        "tensor 'w' has shape",
        "4 bytes");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[4,8]  | 4 | begins at byte 4",
        "[4,0]  | 4 | not a begin and an end",
        "[0]    | 4 | not a begin and an end",
        "[0,4,8]| 8 | not a begin and an end",
        "[]     | 4 | not a begin and an end",
        "[0,4]  | 3 | ends 1 bytes early",
        "[0,4]  | 0 | ends 4 bytes early"
      })
  void refusesOffsetsThatLie(String offsets, int dataBytes, String problem) {
    refused(
        entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" + offsets, dataBytes),
        "tensor 'w'",
        problem);
  }

  @Test
  void refusesBytesOfNoTensor() {
    refused(
        entry("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]", 5),
        "1 bytes that belong to no tensor, after tensor 'w'");
    refused(safetensors("{}", 3), "3 bytes that belong to no tensor, after the header");
  }

  @Test
  void refusesHolesAndOverlaps() {
    refused(
        two("[0,4]", "[8,12]", 12), "tensor 'b' begins at byte 8 of the data where byte 4 is next");
    refused(two("[0,4]", "[2,6]", 6), "tensor 'b' begins at byte 2", "overlap");
    refused(two("[0,4]", "[0,4]", 4), "begins at byte 0");
  }

  @Test
  void acceptsTensorsInAnyOrderOfTheHeader() {
    SafetensorsFile read = SafetensorsFile.read(write(file, two("[4,8]", "[0,4]", 8)));
    assertEquals(List.of("b", "a"), read.tensors().stream().map(Tensor::name).toList());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"w\":[]}",
        "{\"w\":1}",
        "{\"w\":{}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}",
        "{\"w\":{\"dtype\":1}}",
        "{\"w\":{\"shape\":{}}}",
        "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}",
        "{\"w\":{\"what\":1}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
            + "\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"
      })
  void refusesMalformedEntries(String json) {
    refused(safetensors(json, 0), "tensor 'w'");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"a\":1}}",
        "{\"__metadata__\":{\"a\":null}}",
        "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}",
        "{\"__metadata__\":{},\"__metadata__\":{}}"
      })
  void refusesMetadataThatIsNotStrings(String json) {
    refused(safetensors(json, 0), "__metadata__");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        " {}",
        "{",
        "{]",
        "{'w':1}",
        "{w:1}",
        "{}}",
        "{}x",
        "{}{}",
        "{/**/}",
        "{\"a\":{\"dtype\":\"F32\",}}",
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}",
        "{\"a\tb\":1}"
      })
  void refusesHeadersThatAreNotStrictJson(String json) {
    refused(safetensors(json, 4), "header");
  }

  @Test
  void refusesHeadersThatAreNotUtf8() {
    byte[] bytes = safetensors("{\"__metadata__\":{\"a\":\"b\"}}", 0);
    bytes[bytes.length - 4] = (byte) 0xff;
    refused(bytes, "not UTF-8");
  }

  @Test
  void refusesDeepHeaders() {
    refused(safetensors("{\"w\":{\"what\":" + "[".repeat(100_000), 0), "unknown field 'what'");
    refused(safetensors("{\"w\":{\"shape\":" + "[".repeat(100_000), 0), "tensor 'w'");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001, 1L << 62})
  void refusesHeaderLengthsBeyondTheLimit(long length) {
    refused(headerLength(length), "not a .safetensors file", Long.toUnsignedString(length));
  }

  @Test
  void refusesHeadersLongerThanTheFile() {
    refused(headerLength(100_000_000), "truncated");
    refused(Arrays.copyOf(headerLength(2), 9), "truncated");
    refused(new byte[7], "not a .safetensors file");
    refused(new byte[8], "not a .safetensors file");
  }

  @Test
  void refusesWhatIsNoFile() {
    assertRefused(file, () -> SafetensorsFile.read(file), "no such file");
    assertRefused(directory, () -> SafetensorsFile.read(directory), "is a directory");
    refused(new byte[0], "is empty");
    Path device = Path.of("/dev/null");
    assertRefused(device, () -> SafetensorsFile.read(device), "pipe or a device");
  }

  @Test
  void refusesToWriteNamesTwice() {
    Tensor one = tensor("w", range(1), 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> SafetensorsFile.write(file, List.of(one, one), Map.of()));
    Tensor reserved = tensor("__metadata__", range(1), 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> SafetensorsFile.write(file, List.of(reserved), Map.of()));
    assertTrue(Files.notExists(file));
  }

  private void refused(byte[] bytes, String... words) {
    write(file, bytes);
    assertRefused(file, () -> SafetensorsFile.read(file), words);
  }

  private static byte[] entry(String fields, int dataBytes) {
    return safetensors("{\"w\":{" + fields + "}}", dataBytes);
  }

  private static byte[] two(String offsetsA, String offsetsB, int dataBytes) {
    String start = "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":";
    return safetensors(
        "{\"a\":" + start + offsetsA + "},\"b\":" + start + offsetsB + "}}", dataBytes);
  }

  private static byte[] headerLength(long length) {
    return ByteBuffer.allocate(100)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put((byte) '{')
        .array();
  }
}
