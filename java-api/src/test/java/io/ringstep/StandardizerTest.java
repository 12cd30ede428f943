package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Columns brought to mean 0 and standard deviation 1, and losses and answers brought back. */
class StandardizerTest {
  private static final Network NETWORK = Network.of(3, 8, 2).withActivation(Activation.TANH);
  private static final Rows ROWS = rawRows();

  /** Columns of very different means and scales. */
  private static Rows rawRows() {
    Rows rows = Rows.random(1, 200, NETWORK);
    stretch(rows.x(), new double[] {1, 1e-3, 1e4}, new double[] {0, 5, -1e5});
    stretch(rows.y(), new double[] {50, 0.02}, new double[] {1000, -1});
    return rows;
  }

  private static void stretch(float[] values, double[] scale, double[] shift) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * scale[i % scale.length] + shift[i % scale.length]);
    }
  }

  @Test
  void meansAndScalesAreThoseOfTheColumns() {
    try (Dataset data = ROWS.dataset()) {
      Standardizer standardizer = Standardizer.of(data);
      assertMoments(ROWS.x(), standardizer.xMean(), standardizer.xScale());
      assertMoments(ROWS.y(), standardizer.yMean(), standardizer.yScale());
    }
  }

  private static void assertMoments(float[] values, double[] mean, double[] scale) {
    for (int c = 0; c < mean.length; c++) {
      double[] column = column(values, mean.length, c);
      double expectedMean = Arrays.stream(column).average().orElseThrow();
      double variance = Arrays.stream(column).map(v -> (v - expectedMean) * (v - expectedMean)).average().orElseThrow();
      assertEquals(expectedMean, mean[c], 1e-12 * Math.max(1, Math.abs(expectedMean)), "mean of column " + c);
      assertEquals(Math.sqrt(variance), scale[c], 1e-12 * Math.sqrt(variance), "scale of column " + c);
    }
  }

  private static double[] column(float[] values, int columns, int column) {
    double[] own = new double[values.length / columns];
    Arrays.setAll(own, row -> values[row * columns + column]);
    return own;
  }

  @Test
  void standardizedColumnsHaveMean0AndDeviation1() {
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized();
        Dataset again = Rows.of(data).dataset()) {
      Standardizer left = Standardizer.of(again);
      assertArrayEquals(new double[3], left.xMean(), 1e-5);
      assertArrayEquals(new double[] {1, 1, 1}, left.xScale(), 1e-5);
      assertArrayEquals(new double[2], left.yMean(), 1e-5);
      assertArrayEquals(new double[] {1, 1}, left.yScale(), 1e-5);
    }
  }

  @Test
  void theDatasetRemembersAndTheOriginalStaysAsItIs() {
    try (Dataset raw = ROWS.dataset()) {
      Standardizer standardizer = Standardizer.of(raw);
      try (Dataset data = raw.standardized(standardizer)) {
        assertSame(standardizer, data.standardizer().orElseThrow());
      }
      assertTrue(raw.standardizer().isEmpty());
      Bits.assertSame(ROWS.x(), Rows.of(raw).x(), "x");
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {0, 0.1f, -3e38f, 1e-40f})
  void aColumnThatNeverChangesIsOnlyShifted(float value) {
    float[] x = new float[7];
    Arrays.fill(x, value);
    try (Dataset raw = Dataset.of(x, new float[] {1, 2, 3, 4, 5, 6, 7}, 1, 1);
        Dataset data = raw.standardized()) {
      assertArrayEquals(new double[] {1}, data.standardizer().orElseThrow().xScale());
      for (float standardized : Rows.of(data).x()) {
        assertEquals(0, standardized, 1e-6 * Math.abs(value));
      }
    }
  }

  // ---- own units ----

  @Test
  void lossesAreInTheTargetsOwnUnits() {
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0))) {
      FitResult result = trainer.fit(data, Fit.epochs(1).batch(7));

      double expected = meanSquaredError(trainer.model());
      assertEquals(expected, result.losses()[0], 1e-5 * expected);
      assertEquals(expected, trainer.evaluate(data), 1e-5 * expected);
    }
  }

  /** Of raw answers to raw rows. */
  private static double meanSquaredError(Model model) {
    float[] predictions = model.predict(ROWS.x());
    double sum = 0;
    for (int i = 0; i < predictions.length; i++) {
      double error = (double) predictions[i] - ROWS.y()[i];
      sum += error * error;
    }
    return sum / predictions.length;
  }

  @Test
  void aFittedModelAnswersRawRows() {
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized();
        Trainer trainer = Trainer.of(NETWORK, new Adam(0.01))) {
      trainer.fit(data, Fit.epochs(20));
      Model model = trainer.model();
      Standardizer standardizer = data.standardizer().orElseThrow();

      float[] standardized = trainer.predict(Rows.of(data).x());
      float[] own = model.predict(ROWS.x());
      for (int i = 0; i < own.length; i++) {
        double expected = standardized[i] * standardizer.yScale()[i % 2] + standardizer.yMean()[i % 2];
        assertEquals(expected, own[i], 1e-6 * Math.abs(expected), "answer " + i);
      }
    }
  }

  // ---- the values themselves ----

  @Test
  void valuesAreCopied() {
    double[] xMean = {1};
    Standardizer standardizer = new Standardizer(xMean, new double[] {2}, new double[] {3}, new double[] {4});
    xMean[0] = 9;
    standardizer.xMean()[0] = 9;
    standardizer.xScale()[0] = 9;
    standardizer.yMean()[0] = 9;
    standardizer.yScale()[0] = 9;
    assertEquals(of(1, 2, 3, 4), standardizer);
  }

  @Test
  void equalValuesMakeEqualStandardizers() {
    assertEquals(of(1, 2, 3, 4), of(1, 2, 3, 4));
    assertEquals(of(1, 2, 3, 4).hashCode(), of(1, 2, 3, 4).hashCode());
    assertNotEquals(of(0, 2, 3, 4), of(1, 2, 3, 4));
    assertNotEquals(of(1, 9, 3, 4), of(1, 2, 3, 4));
    assertNotEquals(of(1, 2, 0, 4), of(1, 2, 3, 4));
    assertNotEquals(of(1, 2, 3, 9), of(1, 2, 3, 4));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void scalesMustBeAbove0(double scale) {
    assertThrows(IllegalArgumentException.class, () -> of(0, scale, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> of(0, 1, 0, scale));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.NEGATIVE_INFINITY})
  void meansMustBeFinite(double mean) {
    assertThrows(IllegalArgumentException.class, () -> of(mean, 1, 0, 1));
    assertThrows(IllegalArgumentException.class, () -> of(0, 1, mean, 1));
  }

  @Test
  void everyColumnNeedsBoth() {
    double[] one = {1};
    double[] two = {1, 1};
    assertThrows(IllegalArgumentException.class, () -> new Standardizer(one, two, one, one));
    assertThrows(IllegalArgumentException.class, () -> new Standardizer(one, one, one, two));
  }

  @Test
  void dataOfAnotherShapeOrStandardizedAlreadyIsRefused() {
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized()) {
      assertThrows(IllegalArgumentException.class, () -> raw.standardized(of(1, 2, 3, 4)));
      assertThrows(IllegalStateException.class, data::standardized);
    }
  }

  private static Standardizer of(double xMean, double xScale, double yMean, double yScale) {
    return new Standardizer(
        new double[] {xMean}, new double[] {xScale}, new double[] {yMean}, new double[] {yScale});
  }
}
