package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is decided for each model of an ensemble between two epochs: as for that model alone. */
class EnsembleValidationTest {
  private static final Network NETWORK = Network.of(6, 20, 1).withActivation(Activation.TANH);
  private static final int MODELS = 37;
  private static final Rows ROWS = Rows.random(1, 60, NETWORK);
  private static final Rows OTHERS = Rows.random(2, 30, NETWORK);

  /** Models 0 and 20 diverge with plain SGD. */
  private static double rate(int k) {
    return k % 20 == 0 ? 1e7 : 0.002 * (k + 1);
  }

  private static Fit withValidation(Fit fit, Dataset rows) {
    return fit.validation(rows);
  }

  static Stream<Arguments> fits() {
    Map<String, UnaryOperator<Fit>> own = new LinkedHashMap<>();
    own.put("validation alone", fit -> fit);
    own.put("patience", fit -> fit.earlyStopping(3, 0.001));
    own.put("patience and an EMA", fit -> fit.earlyStopping(4, 0).ema(0.9));
    own.put("an EMA and a cosine", fit -> fit.ema(0.97).schedule(Schedule.cosine(0.0001).withWarmup(9, 0.1)));
    own.put("SWA", fit -> fit.swa(3));
    own.put("patience and SWA", fit -> fit.earlyStopping(5, 0).swa(2));
    own.put("plateau", fit -> fit.schedule(Schedule.plateau(0.5, 1, 0.0001)));
    own.put("plateau and patience", fit -> fit.schedule(Schedule.plateau(0.3, 0, 0)).earlyStopping(6, 0));
    return own.entrySet().stream()
        .flatMap(
            entry -> IntStream.of(1, 5, 32).mapToObj(batch -> Arguments.of(entry.getKey(), batch, entry.getValue())));
  }

  private static Ensemble.Builder builder() {
    return Ensemble.builder(NETWORK, MODELS).seed(11)
        .learningRates(IntStream.range(0, MODELS).mapToDouble(EnsembleValidationTest::rate).toArray()).device(Device.cpu(2));
  }

  /** Model k alone, as the ensemble should have it. */
  private static void assertAsAlone(Ensemble ensemble, EnsembleResult result, int k, Dataset data, Fit fit) {
    EnsembleResult.OfModel model = result.model(k);
    try (Trainer alone = Trainer.builder(NETWORK).seed(11 + k).optimizer(new Sgd(rate(k))).device(Device.cpu(1)).build()) {
      FitResult expected = null;
      try {
        expected = alone.fit(data, fit);
        assertEquals(OptionalLong.empty(), model.divergedAt());
      } catch (DivergedException e) {
        assertEquals(OptionalLong.of(e.step()), model.divergedAt(), "model " + k);
      }
      Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
      if (expected != null) {
        assertArrayEquals(expected.losses(), model.losses(), "model " + k);
        assertArrayEquals(expected.validationLosses(), model.validationLosses(), "model " + k);
        assertEquals(expected.bestEpoch(), model.bestEpoch(), "model " + k);
        assertEquals(expected.stoppedEarly(), model.stoppedEarly(), "model " + k);
        assertEquals(expected.steps(), model.steps(), "model " + k);
        assertEquals(expected.samples(), model.samples(), "model " + k);
      }
    }
  }

  @ParameterizedTest(name = "{0}, batch {1}")
  @MethodSource("fits")
  void everyModelIsAsAlone(String name, int batch, UnaryOperator<Fit> settings) {
    long[] orders = LongStream.range(0, MODELS).map(k -> 5 * k).toArray();
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset(); Ensemble ensemble = builder().build()) {
      Fit fit = settings.apply(Fit.epochs(40).batch(batch).validation(others));
      EnsembleResult result = ensemble.fit(data, fit, orders);
      assertFalse(result.cancelled());
      for (int k = 0; k < MODELS; k++) {
        assertAsAlone(ensemble, result, k, data, fit.shuffled(orders[k]));
      }
      // Whatever was kept or averaged has no part in the next fit.
      EnsembleResult again = ensemble.fit(data, Fit.epochs(2).batch(batch));
      try (Trainer alone = Trainer.builder(NETWORK).seed(12).optimizer(new Sgd(rate(1))).build()) {
        alone.fit(data, fit.shuffled(orders[1]));
        alone.fit(data, Fit.epochs(2).batch(batch));
        Bits.assertSame(alone.parameters(), ensemble.parameters(1), "in the next fit");
        assertEquals(OptionalInt.empty(), again.model(1).bestEpoch());
      }
    }
  }

  @Test
  void modelsStopAtDifferentEpochs() {
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset(); Ensemble ensemble = builder().build()) {
      EnsembleResult result = ensemble.fit(data, Fit.epochs(60).batch(1).validation(others).earlyStopping(3, 0));
      long ends = result.models().stream().filter(model -> model.stoppedEarly()).map(model -> model.losses().length).distinct().count();
      assertTrue(ends > 3, ends + " different ends");
    }
  }

  /** All stop at once, long before there is no more room for losses. */
  @Test
  void aFitOfVeryManyEpochsNeedsNoMoreRoomThanItUses() {
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset(); Ensemble ensemble = builder().build()) {
      Fit fit = Fit.epochs(Integer.MAX_VALUE).batch(32).validation(others).earlyStopping(2, 1e9);
      for (EnsembleResult.OfModel model : ensemble.fit(data, fit).models()) {
        assertTrue(model.divergedAt().isPresent() || model.losses().length == 3, model.losses().length + " epochs");
      }
    }
  }

  @ParameterizedTest(name = "batch {0}")
  @ValueSource(ints = {1, 16})
  void foldsTrainSideBySide(int batch) {
    List<Split> splits = new ArrayList<>();
    try (Dataset data = Rows.random(3, 71, NETWORK).dataset(); Ensemble ensemble = builder().build()) {
      List<Split> folds = new ArrayList<>();
      for (int fold = 0; fold < 4; fold++) {
        try (Split raw = data.fold(fold, 4, 9)) {
          folds.add(raw.standardized());
        }
      }
      IntStream.range(0, MODELS).forEach(k -> splits.add(folds.get(k % 4)));
      Fit fit = Fit.epochs(25).batch(batch).shuffled(6).earlyStopping(4, 0).ema(0.5);
      EnsembleResult result = ensemble.fit(splits, fit);
      double[] validation = ensemble.evaluate(splits.stream().map(Split::validation).toList());
      for (int k = 0; k < MODELS; k++) {
        assertAsAlone(ensemble, result, k, splits.get(k).training(), withValidation(fit, splits.get(k).validation()));
        assertEquals(splits.get(k).training().standardizer(), ensemble.model(k).standardizer());
        if (result.model(k).divergedAt().isEmpty()) {
          int best = result.model(k).bestEpoch().orElseThrow();
          assertEquals(result.model(k).validationLosses()[best - 1], validation[k]);
        }
      }
      folds.forEach(Split::close);
    }
  }

  @Test
  void dropoutHasASeedForEachModel() {
    long[] seeds = {4, 9, 4};
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Ensemble ensemble = Ensemble.builder(NETWORK, 3).dropout(0.4, seeds).build()) {
      Fit fit = Fit.epochs(6).batch(4).validation(others).earlyStopping(2, 0);
      EnsembleResult result = ensemble.fit(data, fit);
      for (int k = 0; k < 3; k++) {
        try (Trainer alone = Trainer.builder(NETWORK).seed(k).dropout(0.4, seeds[k]).build()) {
          assertArrayEquals(alone.fit(data, fit).validationLosses(), result.model(k).validationLosses());
          Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
        }
      }
    }
  }

  @Test
  void aCancelledFitKeepsTheBestSoFar() {
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset(); Ensemble ensemble = builder().build()) {
      Fit fit = Fit.epochs(Integer.MAX_VALUE).batch(1).validation(others).earlyStopping(Integer.MAX_VALUE, 0);
      EnsembleResult result = ensemble.fit(data, fit.onProgress(progress -> ensemble.cancel()));
      assertTrue(result.cancelled());
      double[] losses = ensemble.evaluate(others);
      int checked = 0;
      for (EnsembleResult.OfModel model : result.models()) {
        if (model.bestEpoch().isPresent() && model.divergedAt().isEmpty()) {
          assertEquals(model.validationLosses()[model.bestEpoch().getAsInt() - 1], losses[model.model()]);
          checked++;
        }
      }
      assertTrue(checked > 0, "no model had ended an epoch");
    }
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Dataset standardized = others.standardized();
        Dataset weighted = others.weighted(new float[30]);
        Dataset narrow = Rows.random(1, 5, Network.of(3, 1)).dataset();
        Ensemble ensemble = Ensemble.builder(NETWORK, 2).build()) {
      Fit fit = Fit.epochs(2);
      refuse("needs validation rows", () -> ensemble.fit(data, fit.earlyStopping(2, 0)));
      refuse("not standardized as", () -> ensemble.fit(data, fit.validation(standardized)));
      refuse("3 inputs", () -> ensemble.fit(data, fit.validation(narrow)));
      refuse("1 splits for 2 models", () -> ensemble.fit(List.of(new Split(data, others)), fit));
      refuse(
          "leave Fit.validation out",
          () -> ensemble.fit(List.of(new Split(data, others), new Split(data, others)), fit.validation(others)));
      refuse(
          "weights or none",
          () -> ensemble.fit(List.of(new Split(data, others), new Split(weighted, others)), fit));
      refuse("no checkpoints", () -> ensemble.fit(data, fit.checkpoint(Path.of("checkpoints"), 1)));
      refuse("dropout seeds", () -> Ensemble.builder(NETWORK, 2).dropout(0.1, 1L, 2L, 3L));
    }
  }

  private static void refuse(String part, Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(part), message);
  }
}
