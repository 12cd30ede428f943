package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Validation, early stopping, averages, splits and folds. */
class ValidationTest {
  private static final Network NETWORK = Network.of(6, 30, 1).withActivation(Activation.TANH);
  private static final Rows ROWS = Rows.random(1, 40, NETWORK);
  private static final Rows OTHERS = Rows.random(2, 30, NETWORK);

  private static Trainer trainer() {
    return Trainer.builder(NETWORK).optimizer(new Adam(0.02)).seed(3).build();
  }

  @Test
  void validationChangesNothing() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer with = trainer();
        Trainer without = trainer()) {
      Fit fit = Fit.epochs(30).batch(8).shuffled(1);
      FitResult validated = with.fit(data, fit.validation(others));
      FitResult plain = without.fit(data, fit);

      Bits.assertSame(without.parameters(), with.parameters(), "with validation");
      assertArrayEquals(plain.losses(), validated.losses());
      assertEquals(30, validated.validationLosses().length);
      assertEquals(with.evaluate(others), validated.validationLosses()[29]);
      assertEquals(OptionalInt.empty(), validated.bestEpoch());
      assertEquals(0, plain.validationLosses().length);
    }
  }

  /** Random targets cannot be learned: the validation loss soon grows. */
  @Test
  void earlyStoppingRestoresTheBitsOfTheBestEpoch() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer stopping = trainer();
        Trainer again = trainer()) {
      Fit fit = Fit.epochs(500).batch(8).shuffled(1);
      FitResult result = stopping.fit(data, fit.validation(others).earlyStopping(7, 0));

      assertTrue(result.stoppedEarly());
      assertFalse(result.cancelled());
      double[] losses = result.validationLosses();
      int best = result.bestEpoch().orElseThrow();
      assertEquals(best + 7, result.epochs());
      for (double loss : losses) {
        assertTrue(loss >= losses[best - 1]);
      }
      assertEquals(losses[best - 1], stopping.evaluate(others));
      again.fit(data, Fit.epochs(best).batch(8).shuffled(1));
      Bits.assertSame(again.parameters(), stopping.parameters(), "the best epoch");
      assertTrue(result.toString().contains("stopped early"), result.toString());
    }
  }

  @Test
  void whatGainsLessThanMinDeltaDoesNotCount() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer trainer = trainer()) {
      FitResult result =
          trainer.fit(data, Fit.epochs(500).batch(8).validation(others).earlyStopping(4, 1e9));
      // The first epoch gains on nothing; no other gains enough.
      assertEquals(5, result.epochs());
      assertTrue(result.bestEpoch().orElseThrow() <= 5);
    }
  }

  @Test
  void aFitThatEndsFirstKeepsTheBestToo() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer trainer = trainer()) {
      FitResult result = trainer.fit(data, Fit.epochs(60).batch(8).validation(others).earlyStopping(1000, 0));
      assertFalse(result.stoppedEarly());
      assertEquals(60, result.epochs());
      assertEquals(
          Arrays.stream(result.validationLosses()).min().orElseThrow(), trainer.evaluate(others));
    }
  }

  @Test
  void anAverageIsWhatIsValidatedAndKept() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer averaged = trainer();
        Trainer stopped = trainer();
        Trainer plain = trainer()) {
      Fit fit = Fit.epochs(40).batch(8);
      FitResult result = averaged.fit(data, fit.ema(0.95).validation(others));
      plain.fit(data, fit);
      assertEquals(result.validationLosses()[39], averaged.evaluate(others));
      assertNotEquals(plain.evaluate(others), averaged.evaluate(others));

      FitResult best = stopped.fit(data, fit.ema(0.95).validation(others).earlyStopping(100, 0));
      assertArrayEquals(result.validationLosses(), best.validationLosses());
      assertEquals(best.validationLosses()[best.bestEpoch().orElseThrow() - 1], stopped.evaluate(others));
    }
  }

  @Test
  void anAverageThatNeverBeganLeavesTheParameters() {
    try (Dataset data = ROWS.dataset();
        Trainer averaged = trainer();
        Trainer plain = trainer()) {
      averaged.fit(data, Fit.epochs(5).swa(5));
      plain.fit(data, Fit.epochs(5));
      Bits.assertSame(plain.parameters(), averaged.parameters(), "after five epochs");
    }
  }

  @Test
  void aScheduleLeavesTheTrainersOwnRate() {
    try (Dataset data = ROWS.dataset();
        Trainer first = trainer();
        Trainer second = trainer()) {
      first.fit(data, Fit.epochs(3).schedule(Schedule.step(1, 0)));
      second.fit(data, Fit.epochs(3).schedule(Schedule.step(1, 0)));
      float[] before = first.parameters();
      first.fit(data, Fit.epochs(1));
      assertFalse(Arrays.equals(before, first.parameters()), "the rate is still 0");
    }
  }

  @Test
  void aPlateauOfTheValidationLossLowersTheRate() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer trainer = trainer();
        Trainer plain = trainer()) {
      Fit fit = Fit.epochs(120).batch(8).validation(others);
      FitResult lowered = trainer.fit(data, fit.schedule(Schedule.plateau(0.01, 2, 0)));
      FitResult constant = plain.fit(data, fit);
      assertTrue(
          lowered.validationLosses()[119] < constant.validationLosses()[119],
          lowered.validationLosses()[119] + " and " + constant.validationLosses()[119]);
    }
  }

  @Test
  void dropoutReplaysAndThreadsDoNotMatter() {
    Rows many = Rows.random(5, 3000, NETWORK);
    try (Dataset data = many.dataset()) {
      List<float[]> results = new ArrayList<>();
      for (int threads : new int[] {1, 2, 8}) {
        try (Trainer trainer =
            Trainer.builder(NETWORK).device(Device.cpu(threads)).optimizer(new Adam(0.01)).dropout(0.5, 11).build()) {
          trainer.fit(data, Fit.epochs(3).batch(2500).shuffled(1));
          results.add(trainer.parameters());
        }
      }
      Bits.assertSame(results.get(0), results.get(1), "two threads");
      Bits.assertSame(results.get(0), results.get(2), "eight threads");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 7, 40})
  void everyRowValidatesInOneFold(int count) {
    try (Dataset data = ROWS.dataset()) {
      List<Float> seen = new ArrayList<>();
      for (int fold = 0; fold < count; fold++) {
        try (Split split = data.fold(fold, count, 9)) {
          assertEquals(40, split.training().rows() + split.validation().rows());
          assertTrue(Math.abs(split.validation().rows() - 40.0 / count) < 1);
          for (float y : Rows.of(split.validation()).y()) {
            seen.add(y);
          }
        }
      }
      List<Float> all = new ArrayList<>();
      for (float y : ROWS.y()) {
        all.add(y);
      }
      seen.sort(null);
      all.sort(null);
      assertEquals(all, seen);
    }
  }

  @Test
  void aSplitFollowsItsSeedAndKeepsWeights() {
    float[] weights = new float[40];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = i;
    }
    try (Dataset data = ROWS.dataset();
        Dataset weighted = data.weighted(weights);
        Split split = weighted.split(0.25, 4);
        Split same = weighted.split(0.25, 4);
        Split other = weighted.split(0.25, 5)) {
      assertEquals(10, split.validation().rows());
      assertTrue(split.training().isWeighted() && split.validation().isWeighted());
      assertArrayEquals(Rows.of(split.validation()).x(), Rows.of(same.validation()).x());
      assertFalse(Arrays.equals(Rows.of(split.validation()).x(), Rows.of(other.validation()).x()));
      try (Trainer trainer = trainer()) {
        // The weighted means of the parts make that of the whole.
        double first = trainer.evaluate(split.training());
        double second = trainer.evaluate(split.validation());
        double all = trainer.evaluate(weighted);
        assertTrue(all >= Math.min(first, second) && all <= Math.max(first, second));
      }
    }
  }

  @Test
  void partsAreStandardizedByTheRowsOfTraining() {
    try (Dataset data = ROWS.dataset();
        Split raw = data.split(0.5, 1);
        Split split = raw.standardized()) {
      Standardizer expected = Standardizer.of(raw.training());
      assertEquals(expected, split.training().standardizer().orElseThrow());
      assertEquals(expected, split.validation().standardizer().orElseThrow());
      try (Trainer trainer = trainer()) {
        IllegalArgumentException refused =
            assertThrows(
                IllegalArgumentException.class,
                () -> trainer.fit(split.training(), Fit.epochs(1).validation(raw.validation())));
        assertTrue(refused.getMessage().contains("not standardized as"), refused.getMessage());
      }
    }
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    assertRefused("patience must be at least 1, but is 0", () -> Fit.epochs(1).earlyStopping(0, 0));
    assertRefused("min delta must be", () -> Fit.epochs(1).earlyStopping(1, -1));
    assertRefused("decay must be in [0, 1)", () -> Fit.epochs(1).ema(1));
    assertRefused("at least 0, but is -1", () -> Fit.epochs(1).swa(-1));
    assertRefused("delta must be above 0", () -> Loss.huber(0));
    assertRefused("delta must be a finite", () -> Loss.huber(Double.NaN));
    assertRefused("factor must be above 0 and below 1", () -> Schedule.plateau(1, 1, 0));
    assertRefused("epochs of a step", () -> Schedule.step(0, 0.5));
    assertRefused("gamma must be", () -> Schedule.step(1, -1));
    assertRefused("steps of the warm-up", () -> Schedule.constant().withWarmup(0, 0));
    assertRefused("start of the warm-up", () -> Schedule.constant().withWarmup(1, 2));
    Trainer.Builder builder = Trainer.builder(NETWORK);
    assertRefused("dropout must be in [0, 1)", () -> builder.dropout(1, 0));
    assertRefused("l1 must be", () -> builder.l1(-1));
    assertRefused("clip norm must be above 0", () -> builder.clipNorm(0));
    assertRefused("by norm or by value", () -> Trainer.builder(NETWORK).clipNorm(1).clipValue(1).build());
    assertRefused("output for each class", () -> Trainer.builder(NETWORK).loss(Loss.CROSS_ENTROPY).build());
    try (Dataset data = ROWS.dataset();
        Trainer trainer = trainer()) {
      assertRefused("early stopping needs validation", () -> trainer.fit(data, Fit.epochs(1).earlyStopping(1, 0)));
      assertRefused("39 weights for 40 rows", () -> data.weighted(new float[39]));
      float[] negative = new float[40];
      negative[7] = -1;
      assertRefused("weight 7 is -1.0", () -> data.weighted(negative));
      assertRefused("the share must be", () -> data.split(1, 0));
      assertRefused("no fold 3 of 3", () -> data.fold(3, 3, 0));
      assertRefused("too few to divide", () -> data.fold(0, 41, 0));
    }
    Network classes = Network.of(6, 3);
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.builder(classes).loss(Loss.CROSS_ENTROPY).build();
        Trainer binary = Trainer.builder(NETWORK).loss(Loss.BCE).build()) {
      assertRefused("a class is a whole number from 0 to 2", () -> trainer.fit(data, Fit.epochs(1)));
      assertRefused("a class is a whole number", () -> trainer.step(new float[6], new float[] {3}));
      assertRefused("a probability, from 0 to 1", () -> binary.step(new float[6], new float[] {2}));
      assertRefused("inputs and 1 class", () -> trainer.step(new float[6], new float[3]));
    }
  }

  private static void assertRefused(String problem, Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(problem), message);
  }
}
