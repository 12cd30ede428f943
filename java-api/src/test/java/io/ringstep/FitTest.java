package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a fit is asked to do, what it tells on the way, and what it says it did. */
class FitTest {
  private static final Network NETWORK = Network.of(10, 20, 1);
  private static final Rows ROWS = Rows.random(1, 100, NETWORK);

  @ParameterizedTest
  @CsvSource({
    "1, 100", "7, 15", "32, 4", "100, 1", "101, 1", "9223372036854775807, 1"
  })
  void theLastStepOfAnEpochTakesTheRowsThatAreLeft(long batch, int stepsPerEpoch) {
    List<Progress> reports = new ArrayList<>();
    FitResult result = fit(Fit.epochs(3).batch(batch).onProgress(reports::add));

    assertEquals(3L * stepsPerEpoch, result.steps());
    assertEquals(300, result.samples());
    assertEquals(result.steps(), reports.get(0).totalSteps());
  }

  @Test
  void unlessAskedABatchIs32RowsInTheirOwnOrder() {
    Bits.assertSame(parametersAfter(Fit.epochs(2).batch(32)), parametersAfter(Fit.epochs(2)), "defaults");
  }

  @Test
  void shufflingChangesTheResultAndSeedsChangeIt() {
    float[] ordered = parametersAfter(Fit.epochs(1));
    float[] shuffled = parametersAfter(Fit.epochs(1).shuffled(1));
    float[] otherwise = parametersAfter(Fit.epochs(1).shuffled(2));
    assertFalse(Arrays.equals(ordered, shuffled), "ordered and shuffled");
    assertFalse(Arrays.equals(shuffled, otherwise), "two seeds");
  }

  @Test
  void aFitIsImmutable() {
    Fit fit = Fit.epochs(1);
    float[] before = parametersAfter(fit);
    fit.batch(3).shuffled(9).onProgress(progress -> {});
    Bits.assertSame(before, parametersAfter(fit), "after others were made from it");
  }

  @Test
  void aListenerIsNotCalledForEverySliceOfAShortEpoch() {
    List<Progress> reports = new ArrayList<>();
    FitResult result = fit(Fit.epochs(100_000).batch(100).onProgress(reports::add));
    long most = 1 + result.duration().toMillis() / 15;
    assertTrue(reports.size() <= most, reports.size() + " reports, more than " + most);
  }

  @Test
  void theResultSaysWhatWasDone() {
    FitResult result = fit(Fit.epochs(4).batch(10));
    assertEquals(4, result.epochs());
    assertEquals(4, result.losses().length);
    assertEquals(40, result.steps());
    assertFalse(result.cancelled());
    assertTrue(result.duration().compareTo(Duration.ZERO) > 0);
    assertEquals("40 steps, 4 epochs, last loss " + result.losses()[3], result.toString());
  }

  /** With a learning rate of 0 every loss is that of the whole data. */
  @Test
  void lossesAreMeansOverTheRowsOfAnEpoch() {
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0))) {
      double expected = trainer.evaluate(data);
      for (double loss : trainer.fit(data, Fit.epochs(3).batch(7).shuffled(1)).losses()) {
        assertEquals(expected, loss, 1e-6 * expected);
      }
    }
  }

  @Test
  void lossesOfManyEpochsAreAllKept() {
    FitResult result = fit(Fit.epochs(20_000).batch(100));
    assertEquals(20_000, result.losses().length);
    for (int i = 1; i < 100; i++) {
      assertTrue(result.losses()[i] < result.losses()[i - 1], "epoch " + i);
    }
    assertEquals(result.losses()[19_998], result.losses()[19_999], 1e-6);
  }

  @Test
  void progressGoesForwardToTheEnd() {
    List<Progress> reports = new ArrayList<>();
    FitResult result = fit(Fit.epochs(20_000).batch(10).onProgress(reports::add));

    for (int i = 1; i < reports.size(); i++) {
      assertTrue(reports.get(i).steps() > reports.get(i - 1).steps(), "steps");
      assertTrue(reports.get(i).epoch() >= reports.get(i - 1).epoch(), "epoch");
    }
    Progress last = reports.get(reports.size() - 1);
    assertEquals(new Progress(20_000, 20_000, 200_000, 200_000, result.losses()[19_999]), last);
  }

  @Test
  void theLossIsUnknownUntilAnEpochEnds() {
    Network slow = Network.of(8, 256, 256, 1);
    try (Dataset data = Rows.random(1, 20_000, slow).dataset();
        Trainer trainer = Trainer.of(slow, new Sgd(1e-4))) {
      Fit fit =
          Fit.epochs(1)
              .batch(1)
              .onProgress(
                  progress -> {
                    assertEquals(0, progress.epoch());
                    assertTrue(Double.isNaN(progress.loss()));
                    trainer.cancel();
                  });
      FitResult result = trainer.fit(data, fit);

      assertTrue(result.cancelled());
      assertEquals(0, result.epochs());
      assertEquals(result.steps(), result.samples());
      assertEquals(result.steps() + " steps, 0 epochs, cancelled", result.toString());
    }
  }

  @Test
  void whatAListenerThrowsEndsTheFitAndReachesTheCaller() {
    RuntimeException thrown = new UnsupportedOperationException("enough");
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.01))) {
      Fit failing =
          Fit.epochs(1)
              .onProgress(
                  progress -> {
                    throw thrown;
                  });
      assertSame(thrown, assertThrows(RuntimeException.class, () -> trainer.fit(data, failing)));
      assertFalse(trainer.fit(data, Fit.epochs(1)).cancelled(), "the next fit");
    }
  }

  @Test
  void aListenerMayAskTheTrainer() {
    List<Double> losses = new ArrayList<>();
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.01))) {
      trainer.fit(data, Fit.epochs(1).onProgress(progress -> losses.add(trainer.evaluate(data))));
      assertEquals(List.of(trainer.evaluate(data)), losses);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void fewerThanOneIsRefused(int count) {
    assertEquals(
        "epochs must be at least 1, but is " + count,
        assertThrows(IllegalArgumentException.class, () -> Fit.epochs(count)).getMessage());
    assertEquals(
        "batch must be at least 1, but is " + count,
        assertThrows(IllegalArgumentException.class, () -> Fit.epochs(1).batch(count)).getMessage());
  }

  private static FitResult fit(Fit fit) {
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.01))) {
      return trainer.fit(data, fit);
    }
  }

  private static float[] parametersAfter(Fit fit) {
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.01))) {
      trainer.fit(data, fit);
      return trainer.parameters();
    }
  }
}
