package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.SearchSpace.Values;
import io.ringstep.SweepResult.Trial;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SweepTest {
  private static final Path DIABETES = Path.of("src/main/resources/io/ringstep/cli/diabetes.csv");
  private static final SearchSpace SPACE =
      SearchSpace.of(
              Network.of(10, 20, 1), Network.of(10, 20, 1).withActivation(Activation.TANH))
          .learningRates(Values.logUniform(1e-3, 0.1))
          .momenta(Values.of(0, 0.9))
          .weightDecays(Values.logUniform(1e-4, 0.3));

  /** A thousand settings find something no worse than the best ridge regression on the same folds. */
  @Test
  void isNoWorseThanRidgeTunedOnTheSameFolds() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      SweepResult result = Sweep.over(SPACE).trials(1000).run(data);
      assertEquals(1000, result.trials().size());
      double ridge =
          IntStream.rangeClosed(-30, 40)
              .mapToDouble(exponent -> ridge(data, 5, 0, Math.pow(10, exponent / 10.0)))
              .min()
              .orElseThrow();
      assertTrue(ridge > 2500 && ridge < 3500, "ridge " + ridge);
      assertTrue(result.best().loss() <= ridge, result.best().loss() + " where ridge has " + ridge);
    }
  }

  /** The mean over the folds of the mean squared error, standardized by the rows of training. */
  private static double ridge(Dataset data, int folds, long seed, double penalty) {
    double sum = 0;
    for (int fold = 0; fold < folds; fold++) {
      try (Split raw = data.fold(fold, folds, seed);
          Split split = raw.standardized()) {
        double[] weights = ridgeWeights(split.training(), penalty);
        float[] x = split.validation().x();
        float[] y = split.validation().y();
        double scale = split.training().standardizer().orElseThrow().yScale()[0];
        double squares = 0;
        for (int row = 0; row < y.length; row++) {
          double error = -y[row];
          for (int i = 0; i < weights.length; i++) {
            error += weights[i] * x[row * weights.length + i];
          }
          squares += error * error;
        }
        sum += squares / y.length * scale * scale;
      }
    }
    return sum / folds;
  }

  /** (XᵀX + λ)⁻¹ Xᵀy by Gauss's elimination. */
  private static double[] ridgeWeights(Dataset rows, double penalty) {
    int n = rows.inputs();
    float[] x = rows.x();
    float[] y = rows.y();
    double[][] a = new double[n][n + 1];
    for (int row = 0; row < y.length; row++) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          a[i][j] += (double) x[row * n + i] * x[row * n + j];
        }
        a[i][n] += (double) x[row * n + i] * y[row];
      }
    }
    for (int i = 0; i < n; i++) {
      a[i][i] += penalty;
    }
    for (int pivot = 0; pivot < n; pivot++) {
      for (int i = 0; i < n; i++) {
        double factor = i == pivot ? 0 : a[i][pivot] / a[pivot][pivot];
        for (int j = pivot; j <= n && factor != 0; j++) {
          a[i][j] -= factor * a[pivot][j];
        }
      }
    }
    return IntStream.range(0, n).mapToDouble(i -> a[i][n] / a[i][i]).toArray();
  }

  @Test
  void isTheSameEachTimeAndOtherwiseForAnotherSeed() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      Sweep sweep = Sweep.over(SPACE).trials(20).epochs(20);
      List<Trial> first = sweep.run(data).trials();
      List<Trial> second = sweep.run(data).trials();
      for (int i = 0; i < first.size(); i++) {
        assertEquals(first.get(i).setting(), second.get(i).setting());
        assertArrayEquals(first.get(i).foldLosses(), second.get(i).foldLosses());
      }
      assertNotEquals(first.get(0).setting(), sweep.seed(1).run(data).best().setting());
    }
  }

  /** What a setting is said to have done is what a trainer alone does with it. */
  @Test
  void aTrialIsWhatTrainersDo() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      Trial best = Sweep.over(SPACE).trials(9).epochs(20).folds(3).batch(16).seed(5).run(data).best();
      for (int fold = 0; fold < 3; fold++) {
        try (Split raw = data.fold(fold, 3, 5);
            Split split = raw.standardized();
            Trainer trainer =
                Trainer.builder(best.setting().network())
                    .optimizer(best.setting().optimizer())
                    .seed(best.setting().seed())
                    .build()) {
          int done = 0;
          for (int look = 0; done < best.epochs(); look++) {
            int until = Math.min(best.epochs(), best.roundEpochs() * (look + 1) / 10);
            // Stretches without an epoch are skipped, and have no number.
            if (until > done) {
              trainer.fit(split.training(), Fit.epochs(until - done).batch(16).shuffled(5 + stretch(best, until)));
              done = until;
            }
          }
          assertEquals(trainer.evaluate(split.validation()), best.foldLosses()[fold]);
        }
      }
    }
  }

  private static int stretch(Trial trial, int until) {
    return (int) IntStream.rangeClosed(1, 10).map(i -> trial.roundEpochs() * i / 10).filter(e -> e > 0).distinct()
        .takeWhile(e -> e < until).count();
  }

  @Test
  void refitsTheBestOnAllRows() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      SweepResult result = Sweep.over(SPACE).trials(9).epochs(60).run(data);
      Model model = result.refit(data);
      assertEquals(result.best().setting().network(), model.network());
      assertEquals(data.inputNames(), model.inputNames());
      float[] y = data.y();
      float[] answers = model.predict(data.x());
      double squares = IntStream.range(0, y.length).mapToDouble(i -> (y[i] - answers[i]) * (y[i] - answers[i])).sum();
      assertTrue(squares / y.length < 3200, "the variance is 5930: " + squares / y.length);
      assertArrayEquals(model.parameters(), result.refit(data).parameters());
    }
  }

  @Test
  void triesEveryCombinationOfListsAndDrawsFromRanges() {
    SearchSpace lists = SPACE.learningRates(Values.of(0.01, 0.1)).weightDecays(Values.of(0)).seeds(3);
    assertEquals(2 * 2 * 2 * 3, lists.settings(24, new SplittableRandom(0)).stream().distinct().count());
    assertEquals(7, lists.settings(7, new SplittableRandom(0)).size());
    assertTrue(
        SPACE.settings(500, new SplittableRandom(0)).stream()
            .allMatch(setting -> setting.learningRate() >= 1e-3 && setting.learningRate() <= 0.1));
  }

  @Test
  void whatDivergesIsLastAndDisturbsNobody() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      SearchSpace space = SearchSpace.of(Network.of(10, 20, 1)).learningRates(Values.of(0.01, 1e6));
      List<Trial> trials = Sweep.over(space).trials(2).epochs(9).run(data).trials();
      assertEquals(0.01, trials.get(0).setting().learningRate());
      assertEquals(Double.POSITIVE_INFINITY, trials.get(1).loss());
      SearchSpace alone = SearchSpace.of(Network.of(10, 20, 1)).learningRates(Values.of(0.01));
      assertArrayEquals(
          Sweep.over(alone).epochs(9).run(data).best().foldLosses(), trials.get(0).foldLosses());
    }
  }

  @Test
  void endsWhenTold() {
    try (Dataset data = Dataset.read(DIABETES, 1)) {
      SweepResult result = Sweep.over(SPACE).until(() -> true).run(data);
      assertTrue(result.cancelled() && result.trials().isEmpty());
      assertThrows(IllegalStateException.class, result::best);
    }
  }

  @Test
  void refusesWhatMakesNoSense() {
    assertThrows(IllegalArgumentException.class, () -> Sweep.over(SPACE).trials(0));
    assertThrows(IllegalArgumentException.class, () -> Sweep.over(SPACE).folds(1));
    assertThrows(IllegalArgumentException.class, () -> Sweep.over(SPACE).epochs(0));
    assertThrows(IllegalArgumentException.class, () -> Values.logUniform(0, 1));
    assertThrows(IllegalArgumentException.class, () -> Values.logUniform(1, 0.1));
    assertThrows(IllegalArgumentException.class, () -> Values.of());
    assertThrows(IllegalArgumentException.class, () -> SearchSpace.of(Network.of(2, 1), Network.of(3, 1)));
    try (Dataset data = Dataset.of(new float[6], new float[3], 2, 1)) {
      assertThrows(IllegalArgumentException.class, () -> Sweep.over(SPACE).run(data));
    }
  }
}
