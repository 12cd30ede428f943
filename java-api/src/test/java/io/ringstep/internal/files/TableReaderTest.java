package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.ascii;
import static io.ringstep.internal.files.TestFiles.assertRefused;
import static io.ringstep.internal.files.TestFiles.npy;
import static io.ringstep.internal.files.TestFiles.npz;
import static io.ringstep.internal.files.TestFiles.range;
import static io.ringstep.internal.files.TestFiles.tensor;
import static io.ringstep.internal.files.TestFiles.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.ringstep.InvalidDataException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TableReaderTest {
  private static final String CSV = "a,b,c,d\n1,2,3,4\n5,6,7,8\n";
  private static final List<String> NO_NAMES = List.of();

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"t.csv", "t.CSV", "t.tsv", "t.txt", "t.dat", "t"})
  void takesTheLastColumnsOfCsvAsTargets(String name) {
    Table table = TableReader.readTraining(file(name, CSV), NO_NAMES, 2);
    assertTable(
        table,
        List.of("a", "b"),
        List.of("c", "d"),
        new float[] {1, 2, 5, 6},
        new float[] {3, 4, 7, 8});
  }

  @Test
  void takesTargetsByName() {
    Table table = TableReader.readTraining(file("t.csv", CSV), List.of("d", "a"), 2);
    assertTable(
        table,
        List.of("b", "c"),
        List.of("d", "a"),
        new float[] {2, 3, 6, 7},
        new float[] {4, 1, 8, 5});
  }

  @Test
  void namesTheColumnsThereAre() {
    Path file = file("t.csv", CSV);
    assertRefused(
        file,
        () -> TableReader.readTraining(file, List.of("foo"), 1),
        file + ": no column 'foo'; the columns are a, b, c, d");
    assertRefused(
        file,
        () -> TableReader.readFeatures(file, List.of("a", "z"), 2, 1),
        "no column 'z'; the columns are a, b, c, d");
  }

  @Test
  void needsAnInput() {
    Path file = file("t.csv", CSV);
    assertRefused(
        file, () -> TableReader.readTraining(file, NO_NAMES, 4), "4 columns", "one input");
    assertRefused(
        file, () -> TableReader.readTraining(file, NO_NAMES, Integer.MAX_VALUE), "one input");
    assertRefused(
        file, () -> TableReader.readTraining(file, List.of("a", "b", "c", "d"), 4), "one input");
  }

  @Test
  void refusesBadArguments() {
    Path file = file("t.csv", CSV);
    assertThrows(IllegalArgumentException.class, () -> TableReader.readTraining(file, NO_NAMES, 0));
    assertThrows(
        IllegalArgumentException.class, () -> TableReader.readTraining(file, List.of("a", "a"), 2));
    assertThrows(
        IllegalArgumentException.class, () -> TableReader.readFeatures(file, List.of("a"), 2, 1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.npy", "t.bin"})
  void takesTheLastColumnsOfNpyAsTargets(String name) {
    Path file = file(name, npy(tensor("", range(6), 2, 3)));
    Table table = TableReader.readTraining(file, NO_NAMES, 1);
    assertTable(table, NO_NAMES, NO_NAMES, new float[] {0, 1, 3, 4}, new float[] {2, 5});
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.npz", "t.bin", "t.safetensors", "s.bin"})
  void joinsArrays(String name) throws IOException {
    Path file = arrays(name, tensor("y", range(2), 2), tensor("x", range(6), 2, 3));
    Table table = TableReader.readTraining(file, NO_NAMES, 1);
    assertTable(table, NO_NAMES, NO_NAMES, range(6), range(2));
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.npz", "t.safetensors"})
  void takesVectorsAsColumns(String name) throws IOException {
    Path file = arrays(name, tensor("x", range(3), 3), tensor("y", range(6), 3, 2));
    Table table = TableReader.readTraining(file, NO_NAMES, 1);
    assertTable(table, NO_NAMES, NO_NAMES, range(3), range(6));
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.npz", "t.safetensors"})
  void refusesArraysThatDoNotFit(String name) throws IOException {
    Tensor x = tensor("x", range(6), 3, 2);
    assertTrainingRefused(
        arrays(name, x, tensor("y", range(2), 2)), "array 'x' has 3 rows but array 'y' has 2");
    assertTrainingRefused(
        arrays(name, x, tensor("z", range(3), 3)), "no array 'y'; the arrays are x, z");
    assertTrainingRefused(arrays(name, x, tensor("y", range(1))), "array 'y' has shape []");
    assertTrainingRefused(
        arrays(name, x, tensor("y", range(8), 2, 2, 2)),
        "array 'y' has shape [2, 2, 2]",
        "two dimensions");
    assertTrainingRefused(
        arrays(name, tensor("x", range(0), 0, 2), tensor("y", range(0), 0)),
        "array 'x'",
        "at least one row");
    float[] values = {0, 1, 2, Float.NaN, 4, 5};
    assertTrainingRefused(
        arrays(name, tensor("x", values, 3, 2), tensor("y", range(3), 3)),
        "array 'x' has NaN in row 2, column 2");
  }

  @Test
  void saysThatAFileHasNoArrays() throws IOException {
    assertTrainingRefused(arrays("t.safetensors"), "no array 'x'; the file has no arrays");
    assertTrainingRefused(arrays("t.npz", tensor("", range(1))), "no array 'x'");
  }

  @Test
  void refusesNpyThatIsNoTable() {
    assertTrainingRefused(
        file("t.npy", npy(tensor("", range(3), 3))), "shape [3]", "two dimensions");
    assertTrainingRefused(
        file("t.npy", npy(tensor("", range(0), 3, 0))), "at least one row and one column");
    float[] values = {0, 1, 2, Float.NEGATIVE_INFINITY};
    assertTrainingRefused(
        file("t.npy", npy(tensor("", values, 2, 2))), "has -Infinity in row 2, column 2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.npy", "t.npz", "t.safetensors"})
  void findsTargetsByNameInCsvOnly(String name) throws IOException {
    Path file = arrays(name, tensor("x", range(6), 2, 3));
    assertRefused(
        file, () -> TableReader.readTraining(file, List.of("a"), 1), "no column names", "CSV");
  }

  @Test
  void takesFeaturesByName() {
    Table table = TableReader.readFeatures(file("t.csv", CSV), List.of("c", "a"), 2, 1);
    assertTable(table, List.of("c", "a"), NO_NAMES, new float[] {3, 1, 7, 5}, new float[0]);
  }

  @Test
  void takesFeaturesByCount() throws IOException {
    float[] first = {1, 2, 3, 5, 6, 7};
    assertArrayEquals(first, features("t.csv", ascii(CSV), 3, 1));
    assertArrayEquals(new float[] {1, 2, 5, 6}, features("t.csv", ascii(CSV), 2, 2));
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, features("t.csv", ascii(CSV), 4, 1));
    byte[] npy = npy(tensor("", range(6), 2, 3));
    assertArrayEquals(new float[] {0, 1, 3, 4}, features("t.npy", npy, 2, 1));
    assertArrayEquals(range(6), features("t.npy", npy, 3, 1));
    byte[] npz = npz(tensor("x", range(6), 2, 3));
    assertArrayEquals(range(6), features("t.npz", npz, 3, 1));
    Path safetensors = arrays("t.safetensors", tensor("x", range(6), 2, 3));
    assertArrayEquals(range(6), values(TableReader.readFeatures(safetensors, NO_NAMES, 3, 1).x()));
  }

  @Test
  void refusesOtherCountsOfFeatures() throws IOException {
    Path csv = file("t.csv", CSV);
    assertRefused(
        csv,
        () -> TableReader.readFeatures(csv, NO_NAMES, 10, 1),
        "4 columns where the model takes 10 inputs; give it 10 columns, or 11 whose last 1 are"
            + " ignored");
    Path npz = arrays("t.npz", tensor("x", range(6), 2, 3));
    assertRefused(
        npz,
        () -> TableReader.readFeatures(npz, NO_NAMES, 2, 1),
        "array 'x' has 3 columns where the model takes 2 inputs; give it 2 columns");
  }

  @ParameterizedTest
  @ValueSource(strings = {"t.csv", "t.npy", "t.npz", "t.safetensors", "t"})
  void refusesWhatIsNoFile(String name) throws IOException {
    Path file = directory.resolve(name);
    assertTrainingRefused(file, "no such file");
    assertTrainingRefused(file("empty-" + name, ""), "is empty");
    assertTrainingRefused(Files.createDirectory(file), "is a directory; name a file");
    Path secret = file("secret-" + name, CSV);
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("-w-------"));
    assumeFalse(Files.isReadable(secret), "root may read anything");
    assertTrainingRefused(secret, "permission denied");
  }

  @Test
  void refusesNamesThatLie() {
    assertTrainingRefused(file("t.npy", CSV), "not a .npy array");
    assertTrainingRefused(file("t.npz", CSV), "not a sound zip archive");
    assertTrainingRefused(file("t.safetensors", CSV), "not a .safetensors file");
    assertTrainingRefused(file("t.csv", npz(tensor("x", range(6), 2, 3))));
  }

  @Test
  void keepsForeignNamesOnOneLine() {
    Path file = file("new\nline.npy", CSV);
    var e =
        assertThrows(InvalidDataException.class, () -> TableReader.readTraining(file, NO_NAMES, 1));
    assertTrue(e.getMessage().contains("new?line.npy: is not"), e.getMessage());
  }

  private static void assertTable(
      Table table, List<String> xNames, List<String> yNames, float[] x, float[] y) {
    assertEquals(xNames, table.xNames());
    assertEquals(yNames, table.yNames());
    assertArrayEquals(x, values(table.x()));
    assertArrayEquals(y, values(table.y()));
    assertEquals(x.length, table.rows() * table.inputs());
    assertEquals(y.length, table.rows() * table.outputs());
    assertTrue(table.x().isDirect() && table.y().isDirect());
  }

  private static void assertTrainingRefused(Path file, String... words) {
    assertRefused(file, () -> TableReader.readTraining(file, NO_NAMES, 1), words);
  }

  private float[] features(String name, byte[] bytes, int inputs, int outputs) {
    Table table = TableReader.readFeatures(file(name, bytes), NO_NAMES, inputs, outputs);
    assertEquals(0, table.outputs());
    assertEquals(0, table.y().remaining());
    return values(table.x());
  }

  private Path file(String name, String text) {
    return file(name, ascii(text));
  }

  private Path file(String name, byte[] bytes) {
    return TestFiles.write(directory.resolve(name), bytes);
  }

  private Path arrays(String name, Tensor... tensors) throws IOException {
    Path file = directory.resolve(name);
    if (name.startsWith("s.") || name.endsWith(".safetensors")) {
      SafetensorsFile.write(file, List.of(tensors), Map.of());
      return file;
    }
    return file(name, name.endsWith(".npy") ? npy(tensors[0]) : npz(tensors));
  }
}
