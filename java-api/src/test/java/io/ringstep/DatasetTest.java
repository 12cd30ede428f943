package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows copied from arrays, or read from files. */
class DatasetTest {
  private static final float[] X = {1, 2, 3, 4, 5, 6};
  private static final float[] Y = {7, 8, 9};

  @TempDir Path folder;

  @Test
  void rowsAreCopied() {
    float[] x = X.clone();
    try (Dataset data = Dataset.of(x, Y, 2, 1)) {
      x[0] = 99;
      assertEquals(3, data.rows());
      assertEquals(2, data.inputs());
      assertEquals(1, data.outputs());
      assertRows(X, Y, data);
    }
  }

  @Test
  void rowsOfArraysHaveNoNames() {
    try (Dataset data = Dataset.of(X, Y, 2, 1)) {
      assertTrue(data.inputNames().isEmpty());
      assertTrue(data.targetNames().isEmpty());
      assertTrue(data.standardizer().isEmpty());
    }
  }

  @ParameterizedTest
  @CsvSource({"6, 3, 0, 1", "6, 3, 2, 0", "6, 3, -2, 1", "6, 3, 4, 1", "6, 3, 2, 2", "6, 2, 2, 1", "0, 0, 2, 1"})
  void lengthsThatAreNotTheSameWholeRowsAreRefused(int xLength, int yLength, int inputs, int outputs) {
    float[] x = new float[xLength];
    float[] y = new float[yLength];
    assertThrows(IllegalArgumentException.class, () -> Dataset.of(x, y, inputs, outputs));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void valuesThatAreNotFiniteAreRefusedByName(float value) {
    var inX =
        assertThrows(
            IllegalArgumentException.class, () -> Dataset.of(new float[] {1, 2, 3, value, 5, 6}, Y, 2, 1));
    assertEquals("x[1, 1] is " + value + "; every value must be finite", inX.getMessage());
    FloatBuffer y = FloatBuffer.wrap(new float[] {0, 7, 8, value}).position(1);
    var inY = assertThrows(IllegalArgumentException.class, () -> Dataset.of(FloatBuffer.wrap(X), y, 2, 1));
    assertEquals("y[2, 0] is " + value + "; every value must be finite", inY.getMessage());
  }

  // ---- files ----

  @Test
  void theLastColumnsOfACsvFileAreTheTargets() throws IOException {
    try (Dataset data = Dataset.read(csv(), 1)) {
      assertRows(new float[] {1, 2, 4, 5}, new float[] {3, 6}, data);
      assertEquals(List.of("a", "b"), data.inputNames());
      assertEquals(List.of("c"), data.targetNames());
    }
  }

  @Test
  void columnsOfACsvFileMayBeNamedAsTargets() throws IOException {
    try (Dataset data = Dataset.read(csv(), List.of("c", "a"))) {
      assertRows(new float[] {2, 5}, new float[] {3, 1, 6, 4}, data);
      assertEquals(List.of("b"), data.inputNames());
      assertEquals(List.of("c", "a"), data.targetNames());
    }
  }

  @Test
  void namesOutliveStandardization() throws IOException {
    try (Dataset raw = Dataset.read(csv(), 1);
        Dataset data = raw.standardized()) {
      assertEquals(raw.inputNames(), data.inputNames());
      assertEquals(raw.targetNames(), data.targetNames());
    }
  }

  @Test
  void noTargetsAreRefused() throws IOException {
    Path file = csv();
    assertThrows(IllegalArgumentException.class, () -> Dataset.read(file, List.of()));
    assertThrows(IllegalArgumentException.class, () -> Dataset.read(file, 0));
  }

  @Test
  void aFileThatIsNotThereIsNamed() {
    Path file = folder.resolve("none.csv");
    assertEquals(file, assertThrows(InvalidDataException.class, () -> Dataset.read(file, 1)).file());
  }

  @Test
  void aCellThatIsNotANumberIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("bad.csv"), "a,b\n1,2\n3,x\n");
    var e = assertThrows(InvalidDataException.class, () -> Dataset.read(file, 1));
    assertEquals(file, e.file());
    assertEquals(3, e.line());
    assertEquals(2, e.column());
  }

  private Path csv() throws IOException {
    return Files.writeString(folder.resolve("data.csv"), "a,b,c\n1,2,3\n4,5,6\n");
  }

  private static void assertRows(float[] x, float[] y, Dataset data) {
    Bits.assertSame(x, Rows.of(data).x(), "x");
    Bits.assertSame(y, Rows.of(data).y(), "y");
  }
}
