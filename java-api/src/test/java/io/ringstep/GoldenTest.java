package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every golden case through the Java API. */
class GoldenTest {
  private static final double LOSS_TOLERANCE = 1e-5;

  static List<GoldenCase> cases() throws Exception {
    return GoldenCase.all();
  }

  @Test
  void allCasesAreThere() throws Exception {
    assertEquals(9, cases().size(), "there are seven cases of one model and one of two");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void fitAgreesWithPyTorch(GoldenCase golden) {
    try (Dataset data = golden.data();
        Trainer trainer = trainer(golden)) {
      FitResult result = trainer.fit(data, fit(golden));

      golden.assertAgrees(trainer.parameters());
      double[] expected = epochLosses(golden, (int) data.rows());
      assertEquals(expected.length, result.losses().length);
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], result.losses()[i], LOSS_TOLERANCE * expected[i], "epoch " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void stepsAgreeWithPyTorchAndHaveTheBitsOfFit(GoldenCase golden) {
    try (Dataset data = golden.data();
        Trainer stepping = trainer(golden);
        Trainer fitting = trainer(golden)) {
      assertStepsAgree(golden, stepping, Rows.of(data));

      fitting.fit(data, fit(golden));
      Bits.assertSame(fitting.parameters(), stepping.parameters(), golden.toString());
    }
  }

  private static Trainer trainer(GoldenCase golden) {
    return Trainer.builder(golden.init()).optimizer(golden.optimizer()).build();
  }

  private static Fit fit(GoldenCase golden) {
    return Fit.epochs(golden.epochs()).batch(golden.batch());
  }

  private static void assertStepsAgree(GoldenCase golden, Trainer trainer, Rows rows) {
    double[] expected = golden.stepLosses();
    int stepsPerEpoch = expected.length / golden.epochs();
    for (int step = 0; step < expected.length; step++) {
      int first = step % stepsPerEpoch * golden.batch();
      int end = Math.min(first + golden.batch(), rows.count());
      Rows batch = rows.pick(IntStream.range(first, end).toArray());
      trainer.step(batch.x(), batch.y());
      // A loss near 0 is the square of a difference of nearly equal numbers: few of its digits count.
      assertEquals(expected[step], trainer.loss(), LOSS_TOLERANCE * Math.max(1, expected[step]), "step " + step);
    }
  }

  /** The mean over the rows of every epoch: a step counts as often as it has rows. */
  private static double[] epochLosses(GoldenCase golden, int rows) {
    double[] steps = golden.stepLosses();
    double[] epochs = new double[golden.epochs()];
    int stepsPerEpoch = steps.length / epochs.length;
    for (int i = 0; i < steps.length; i++) {
      int stepRows = Math.min(golden.batch(), rows - i % stepsPerEpoch * golden.batch());
      epochs[i / stepsPerEpoch] += steps[i] * stepRows / rows;
    }
    return epochs;
  }
}
