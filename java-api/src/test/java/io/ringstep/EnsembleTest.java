package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ensembles: every model as it is alone. */
class EnsembleTest {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.RELU);

  @Test
  void thousandModelsHaveTheBitsThatEachHasAlone() {
    int models = 1_000;
    double[] rates = IntStream.range(0, models).mapToDouble(k -> 0.001 + 0.00001 * k).toArray();
    long[] orders = IntStream.range(0, models).mapToLong(k -> 3L * k).toArray();
    Fit fit = Fit.epochs(2).batch(1);
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset();
        Ensemble ensemble = Ensemble.builder(NETWORK, models).seed(7).learningRates(rates).build()) {
      EnsembleResult result = ensemble.fit(data, fit, orders);
      double[] losses = ensemble.evaluate(data);
      assertEquals(models * 120L, result.steps());
      assertEquals(List.of(), result.diverged());
      for (int k = 0; k < models; k++) {
        try (Trainer alone = Trainer.builder(NETWORK).seed(7 + k).optimizer(new Sgd(rates[k])).build()) {
          FitResult expected = alone.fit(data, fit.shuffled(orders[k]));
          Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
          assertArrayEquals(expected.losses(), result.model(k).losses());
          assertEquals(alone.evaluate(data), losses[k]);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 32})
  void settingsOfEachModelAndASharedOrder(int batch) {
    int models = 18;
    double[] momenta = IntStream.range(0, models).mapToDouble(k -> 0.05 * k).toArray();
    double[] decays = IntStream.range(0, models).mapToDouble(k -> 0.01 * (k % 3)).toArray();
    Fit fit = Fit.epochs(3).batch(batch).shuffled(4);
    try (Dataset raw = Rows.random(2, 101, NETWORK).dataset();
        Dataset data = raw.standardized();
        Ensemble ensemble =
            Ensemble.builder(NETWORK, models).optimizer(new Sgd(0.01)).momenta(momenta).weightDecays(decays)
                .device(Device.cpu(3)).build()) {
      ensemble.fit(data, fit);
      for (int k = 0; k < models; k++) {
        Sgd own = new Sgd(0.01, momenta[k], false, decays[k]);
        try (Trainer alone = Trainer.builder(NETWORK).seed(k).optimizer(own).build()) {
          alone.fit(data, fit);
          Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
        }
      }
    }
  }

  @Test
  void goldenCaseOfTwoModels() throws Exception {
    List<GoldenCase> cases = GoldenCase.all().stream().filter(golden -> golden.toString().contains("seed-two-models")).toList();
    assertEquals(2, cases.size());
    List<Model> start = cases.stream().map(GoldenCase::init).toList();
    GoldenCase first = cases.get(0);
    try (Dataset data = first.data();
        Ensemble ensemble = Ensemble.builder(start).optimizer(first.optimizer()).build()) {
      ensemble.fit(data, Fit.epochs(first.epochs()).batch(first.batch()));
      cases.get(0).assertAgrees(ensemble.parameters(0));
      cases.get(1).assertAgrees(ensemble.parameters(1));
    }
  }

  @Test
  void divergedModelIsMarkedAndOthersGoOn() {
    double[] rates = {0.01, 1e8, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01};
    Network linear = Network.of(10, 20, 1);
    Fit fit = Fit.epochs(2).batch(1);
    try (Dataset data = Rows.random(3, 50, linear).dataset();
        Ensemble ensemble = Ensemble.builder(linear, 9).learningRates(rates).build();
        Trainer doomed = Trainer.builder(linear).seed(1).optimizer(new Sgd(1e8)).build();
        Trainer neighbour = Trainer.builder(linear).seed(2).optimizer(new Sgd(0.01)).build()) {
      EnsembleResult result = ensemble.fit(data, fit);
      DivergedException expected = assertThrows(DivergedException.class, () -> doomed.fit(data, fit));
      neighbour.fit(data, fit);

      assertEquals(List.of(1), result.diverged().stream().map(EnsembleResult.OfModel::model).toList());
      assertEquals(OptionalLong.of(expected.step()), result.model(1).divergedAt());
      assertEquals(expected.step() - 1, result.model(1).steps());
      assertEquals(OptionalLong.of(expected.step()), ensemble.divergedAt(1));
      assertEquals(OptionalLong.empty(), ensemble.divergedAt(2));
      Bits.assertSame(doomed.parameters(), ensemble.parameters(1), "the last finite parameters");
      Bits.assertSame(neighbour.parameters(), ensemble.parameters(2), "its neighbour");

      EnsembleResult later = ensemble.fit(data, fit);
      assertEquals(0, later.model(1).steps());
      assertEquals(List.of(), later.diverged());
      Ensemble.Prediction prediction = ensemble.predictMean(new float[10]);
      assertTrue(Float.isFinite(prediction.mean()[0]));
    }
  }

  @Test
  void stepsPredictionsMeanAndSpread() {
    Rows rows = Rows.random(4, 12, NETWORK);
    try (Ensemble ensemble = Ensemble.builder(NETWORK, 5).build()) {
      for (int i = 0; i < 3; i++) {
        ensemble.step(rows.x(), rows.y());
      }
      float[][] answers = ensemble.predict(rows.x());
      Ensemble.Prediction prediction = ensemble.predictMean(rows.x());
      for (int k = 0; k < 5; k++) {
        try (Trainer alone = Trainer.builder(NETWORK).seed(k).build()) {
          for (int i = 0; i < 3; i++) {
            alone.step(rows.x(), rows.y());
          }
          assertEquals(alone.loss(), ensemble.losses()[k]);
          Bits.assertSame(alone.predict(rows.x()), answers[k], "model " + k);
        }
      }
      for (int row = 0; row < 12; row++) {
        int r = row;
        double mean = IntStream.range(0, 5).mapToDouble(k -> answers[k][r]).average().orElseThrow();
        double variance = IntStream.range(0, 5).mapToDouble(k -> Math.pow(answers[k][r] - mean, 2)).average().orElseThrow();
        assertEquals(mean, prediction.mean()[row], 1e-6);
        assertEquals(Math.sqrt(variance), prediction.spread()[row], 1e-6);
      }
    }
  }

  @Test
  void filesKeepAllModels(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("stacked.safetensors");
    try (Dataset raw = Rows.random(5, 40, NETWORK).dataset();
        Dataset data = raw.standardized();
        Ensemble ensemble = Ensemble.builder(NETWORK, 6).build()) {
      ensemble.fit(data, Fit.epochs(1).batch(4));
      ensemble.save(file);
      List<Model> loaded = Ensemble.load(file);
      assertEquals(6, loaded.size());
      try (Ensemble again = Ensemble.builder(loaded).build()) {
        for (int k = 0; k < 6; k++) {
          Bits.assertSame(ensemble.parameters(k), again.parameters(k), "model " + k);
          assertEquals(data.standardizer(), loaded.get(k).standardizer());
          assertEquals(NETWORK, again.model(k).network());
        }
      }
    }
  }

  @Test
  void exchangeOfGradientsIsDataParallelTraining() {
    Fit fit = Fit.epochs(3).batch(40).shuffled(2);
    try (Dataset data = Rows.random(6, 150, NETWORK).dataset();
        Ensemble ensemble = Ensemble.builder(NETWORK, 4).seed(9).exchange(Exchange.gradient()).build();
        Trainer one = Trainer.builder(NETWORK).seed(9).build()) {
      EnsembleResult result = ensemble.fit(data, fit);
      FitResult expected = one.fit(data, fit);
      for (int k = 0; k < 4; k++) {
        Bits.assertSame(one.parameters(), ensemble.parameters(k), "model " + k);
        assertArrayEquals(expected.losses(), result.model(k).losses());
      }
    }
  }

  @Test
  void averagedModelsEndAlikeAndNotAsAlone() {
    Fit fit = Fit.epochs(2).batch(3);
    long[] orders = {1, 2, 3, 4};
    try (Dataset data = Rows.random(7, 50, NETWORK).dataset();
        Ensemble averaged = Ensemble.builder(NETWORK, 4).exchange(Exchange.average(5)).build();
        Ensemble alone = Ensemble.builder(NETWORK, 4).build()) {
      averaged.fit(data, fit, orders);
      alone.fit(data, fit, orders);
      for (int k = 1; k < 4; k++) {
        Bits.assertSame(averaged.parameters(0), averaged.parameters(k), "model " + k);
      }
      assertTrue(averaged.parameters(0)[0] != alone.parameters(0)[0]);
    }
  }

  /** Losses, penalties, clipping, schedules, averages, weights: whatever a trainer does. */
  @Test
  void featuresAreThoseOfATrainer() throws Exception {
    int compared = 0;
    for (FeatureCase golden : FeatureCase.all()) {
      Fit fit = golden.fit();
      for (Fit each : List.of(fit, fit.batch(1).shuffled(3))) {
        try (Dataset data = golden.data(); Ensemble ensemble = golden.ensemble(9); Trainer alone = golden.trainer()) {
          EnsembleResult result = ensemble.fit(data, each);
          double[] epochs = null;
          OptionalLong divergedAt = OptionalLong.empty();
          try {
            epochs = alone.fit(data, each).losses();
          } catch (DivergedException e) {
            divergedAt = OptionalLong.of(e.step());
          }
          double loss = alone.evaluate(data);
          double[] losses = ensemble.evaluate(data);
          for (int k = 0; k < 9; k++) {
            Bits.assertSame(alone.parameters(), ensemble.parameters(k), golden + ", model " + k);
            assertEquals(divergedAt, result.model(k).divergedAt(), golden.toString());
            assertEquals(loss, losses[k], golden.toString());
            if (epochs != null) {
              assertArrayEquals(epochs, result.model(k).losses(), golden.toString());
            }
          }
        }
        compared++;
      }
    }
    assertTrue(compared >= 20, compared + " fits compared");
  }

  /** More than the losses have room for at first. */
  @Test
  void veryManyEpochs() {
    Network tiny = Network.of(1, 1);
    int models = 20_000;
    Fit fit = Fit.epochs(1_000).batch(8);
    try (Dataset data = Rows.random(9, 8, tiny).dataset();
        Ensemble ensemble = Ensemble.builder(tiny, models).build()) {
      EnsembleResult result = ensemble.fit(data, fit);
      assertEquals(models * 1_000L, result.steps());
      for (int k = 0; k < models; k += 1_999) {
        try (Trainer alone = Trainer.builder(tiny).seed(k).build()) {
          assertArrayEquals(alone.fit(data, fit).losses(), result.model(k).losses());
          Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
        }
      }
    }
  }

  @Test
  void whatAGpusEnsemblesLackIsRefusedByName() {
    Ensemble.Builder builder = Ensemble.builder(NETWORK, 2).l1(0.01).device(Device.cuda());
    String message = assertThrows(IllegalArgumentException.class, builder::build).getMessage();
    assertTrue(message.contains("ensembles on a GPU do not have penalties"), message);
  }

  @Test
  void progressIsToldAndAFitCanBeCancelled() {
    AtomicInteger calls = new AtomicInteger();
    try (Dataset data = Rows.random(8, 400, NETWORK).dataset();
        Ensemble ensemble = Ensemble.builder(NETWORK, 40).build()) {
      Fit fit =
          Fit.epochs(1_000).batch(1).onProgress(
              progress -> {
                calls.incrementAndGet();
                assertEquals(40L * 400 * 1_000, progress.totalSteps());
                ensemble.cancel();
              });
      EnsembleResult result = ensemble.fit(data, fit);
      assertTrue(result.cancelled());
      assertEquals(1, calls.get());
      assertTrue(result.steps() > 0 && result.steps() < 40L * 400 * 1_000);
    }
  }

  @Test
  void badArgumentsAreNamed() {
    List<String> messages = new ArrayList<>();
    refuse(messages, () -> Ensemble.builder(NETWORK, 0));
    refuse(messages, () -> Ensemble.builder(List.of()));
    refuse(messages, () -> Ensemble.builder(NETWORK, 3).learningRates(0.1, 0.2));
    refuse(messages, () -> Ensemble.builder(NETWORK, 2).learningRates(0.1, Double.NaN));
    refuse(messages, () -> Ensemble.builder(NETWORK, 2).seeds(1));
    refuse(messages, () -> Ensemble.builder(NETWORK, 2).optimizer(new Adam(0.1)).momenta(0.1, 0.2).build());
    refuse(messages, () -> Exchange.average(0));
    refuse(messages, () -> Exchange.parse("average:0"));
    try (Dataset other = Rows.random(1, 5, Network.of(3, 1)).dataset();
        Dataset data = Rows.random(1, 5, NETWORK).dataset();
        Ensemble unlike =
            Ensemble.builder(NETWORK, 2).learningRates(0.1, 0.2).exchange(Exchange.gradient()).build();
        Ensemble ensemble = Ensemble.builder(NETWORK, 2).build()) {
      refuse(messages, () -> ensemble.fit(other, Fit.epochs(1)));
      refuse(messages, () -> ensemble.fit(data, Fit.epochs(1), 1L, 2L, 3L));
      refuse(messages, () -> ensemble.step(new float[10], new float[2]));
      refuse(messages, () -> ensemble.setParameters(0, new float[3]));
      refuse(messages, () -> unlike.fit(data, Fit.epochs(1)));
      assertThrows(IndexOutOfBoundsException.class, () -> ensemble.parameters(2));
    }
    assertTrue(messages.get(3).contains("learning rate of model 1"), messages.get(3));
    assertTrue(messages.get(messages.size() - 1).contains("same optimizer"), messages.toString());
    Ensemble closed = Ensemble.builder(NETWORK, 2).build();
    closed.close();
    closed.close();
    assertThrows(IllegalStateException.class, () -> closed.parameters(0));
  }

  private static void refuse(List<String> messages, org.junit.jupiter.api.function.Executable call) {
    messages.add(assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
