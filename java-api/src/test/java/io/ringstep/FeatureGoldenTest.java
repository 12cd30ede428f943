package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every loss, penalty, schedule and average against PyTorch's own answers after 100 steps. */
class FeatureGoldenTest {
  private static final double LOSS_TOLERANCE = 1e-5;

  static List<FeatureCase> cases() throws Exception {
    return FeatureCase.all();
  }

  @Test
  void allCasesAreThere() throws Exception {
    assertEquals(21, cases().size());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithPyTorch(FeatureCase golden) {
    try (Dataset data = golden.data();
        Trainer trainer = golden.trainer()) {
      FitResult result = trainer.fit(data, golden.fit());

      assertEquals(100, result.steps());
      golden.assertAgrees(trainer.parameters());
      assertEquals(golden.finalLoss(), trainer.evaluate(data), LOSS_TOLERANCE * Math.max(1, golden.finalLoss()));
      if (!golden.settings().has("weights")) {
        assertEpochs(golden, result);
      }
    }
  }

  /** Every batch is whole, and every row counts alike: the mean of an epoch is that of its steps. */
  private static void assertEpochs(FeatureCase golden, FitResult result) {
    double[] steps = golden.stepLosses();
    int perEpoch = steps.length / result.epochs();
    for (int epoch = 0; epoch < result.epochs(); epoch++) {
      double expected = 0;
      for (int i = 0; i < perEpoch; i++) {
        expected += steps[epoch * perEpoch + i] / perEpoch;
      }
      assertEquals(expected, result.losses()[epoch], LOSS_TOLERANCE * Math.max(1, expected), "epoch " + epoch);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void changesWhatIsTrained(FeatureCase golden) {
    try (Dataset data = golden.data();
        Trainer trained = golden.trainer();
        Trainer start = golden.trainer()) {
      trained.fit(data, golden.fit());
      assertTrue(Math.abs(trained.evaluate(data) - start.evaluate(data)) > 1e-3, "nothing was learned");
    }
  }
}
