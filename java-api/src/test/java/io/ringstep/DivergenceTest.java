package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A loss that becomes NaN or infinite. */
class DivergenceTest {
  private static final Network NETWORK = Network.of(10, 20, 1);

  static Stream<Arguments> divergingSettings() {
    return Stream.of(new Sgd(10), new Sgd(10).withMomentum(0.9), new Adam(1e15), new AdamW(1e15))
        .flatMap(optimizer -> Stream.of(1, 3, 32, 2000).map(batch -> Arguments.of(optimizer, batch)));
  }

  @ParameterizedTest
  @MethodSource("divergingSettings")
  void fitAndStepStopAtTheSameStepWithTheParametersBefore(Optimizer optimizer, int batch) {
    Rows rows = Rows.random(1, 4_000, NETWORK);
    try (Dataset data = rows.dataset();
        Trainer fitting = Trainer.of(NETWORK, optimizer);
        Trainer stepping = Trainer.of(NETWORK, optimizer)) {
      DivergedException inFit =
          assertThrows(DivergedException.class, () -> fitting.fit(data, Fit.epochs(100).batch(batch)));
      DivergedException inStep = stepUntilDiverged(stepping, rows, batch);

      assertEquals(inStep.step(), inFit.step());
      Bits.assertSame(stepping.parameters(), fitting.parameters(), "parameters");
    }
  }

  private static DivergedException stepUntilDiverged(Trainer trainer, Rows rows, int batch) {
    for (int step = 1; ; step++) {
      int first = (step - 1) * batch % rows.count();
      Rows some = rows.pick(IntStream.range(first, Math.min(first + batch, rows.count())).toArray());
      float[] before = trainer.parameters();
      try {
        trainer.step(some.x(), some.y());
      } catch (DivergedException e) {
        assertEquals(step, e.step());
        assertTrue(step > 1, "the first loss is finite");
        Bits.assertSame(before, trainer.parameters(), "parameters");
        assertAllFinite(before);
        return e;
      }
    }
  }

  private static void assertAllFinite(float[] values) {
    for (float value : values) {
      assertTrue(Float.isFinite(value), () -> Arrays.toString(values));
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void inputsThatAreNotFiniteChangeNothing(float value) {
    try (Trainer trainer = Trainer.of(NETWORK, new Adam(0.01))) {
      for (int rows : new int[] {1, 32}) {
        Rows bad = Rows.random(2, rows, NETWORK);
        bad.x()[bad.x().length - 1] = value;
        float[] before = trainer.parameters();
        assertThrows(DivergedException.class, () -> trainer.step(bad.x(), bad.y()));
        Bits.assertSame(before, trainer.parameters(), rows + " rows");
      }
    }
  }

  @Test
  void trainingCanGoOn() {
    Rows rows = Rows.random(3, 8, NETWORK);
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.01));
        Dataset data = rows.dataset()) {
      Rows bad = rows.pick(0);
      bad.x()[0] = Float.NaN;
      assertThrows(DivergedException.class, () -> trainer.step(bad.x(), bad.y()));
      double before = trainer.evaluate(data);
      trainer.fit(data, Fit.epochs(5));
      assertTrue(trainer.evaluate(data) < before);
    }
  }

  @Test
  void stepsAreCountedOverFitsAndStepsAndFailures() {
    Rows rows = Rows.random(4, 8, NETWORK);
    Rows bad = rows.pick(0);
    bad.x()[0] = Float.NaN;
    Fit failing =
        Fit.epochs(10)
            .batch(1)
            .onProgress(
                progress -> {
                  throw new UnsupportedOperationException("enough");
                });
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
        Dataset data = rows.dataset()) {
      trainer.fit(data, Fit.epochs(10).batch(1));
      trainer.step(rows.x(), rows.y());
      assertEquals(82, assertThrows(DivergedException.class, () -> trainer.step(bad.x(), bad.y())).step());

      assertThrows(UnsupportedOperationException.class, () -> trainer.fit(data, failing));
      assertEquals(162, assertThrows(DivergedException.class, () -> trainer.step(bad.x(), bad.y())).step());
    }
  }

  @Test
  void theMessageNamesTheStepAndARemedy() {
    String message = new DivergedException(17).getMessage();
    assertEquals(
        "the loss became NaN or infinite at step 17; lower the learning rate, or standardize the data", message);
  }
}
