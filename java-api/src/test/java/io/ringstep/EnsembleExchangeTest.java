package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is decided between two epochs of models that exchange: once for all of them, on one rank or on several. */
@Timeout(240)
class EnsembleExchangeTest {
  private static final Network NETWORK = Network.of(6, 20, 1).withActivation(Activation.TANH);
  private static final int MODELS = 5;
  private static final Rows ROWS = Rows.random(1, 60, NETWORK);
  private static final Rows OTHERS = Rows.random(2, 30, NETWORK);
  private static final long[] ORDERS = LongStream.range(0, MODELS).map(k -> 10 + k).toArray();
  private static final double[] RATES = IntStream.range(0, MODELS).mapToDouble(k -> 0.005 * (k + 1)).toArray();

  /** What a fit has besides; the first five are validated. */
  private static Map<String, UnaryOperator<Fit>> fits(Dataset others) {
    Map<String, UnaryOperator<Fit>> fits = new LinkedHashMap<>();
    fits.put("validation alone", fit -> fit.validation(others));
    fits.put("patience", fit -> fit.validation(others).earlyStopping(3, 0.001));
    fits.put("patience and an EMA", fit -> fit.validation(others).earlyStopping(4, 0).ema(0.9));
    fits.put("patience and SWA", fit -> fit.validation(others).earlyStopping(5, 0).swa(2));
    fits.put("plateau and patience", fit -> fit.validation(others).schedule(Schedule.plateau(0.3, 0, 0)).earlyStopping(6, 0));
    fits.put("an EMA alone", fit -> fit.ema(0.97));
    fits.put("SWA alone", fit -> fit.swa(3));
    fits.put("plateau alone", fit -> fit.schedule(Schedule.plateau(0.5, 1, 0.0001)));
    return fits;
  }

  private static Stream<Arguments> each(int... numbers) {
    return fits(null).keySet().stream().flatMap(name -> IntStream.of(numbers).mapToObj(number -> Arguments.of(name, number)));
  }

  static Stream<Arguments> fitsAndBatches() {
    return each(1, 5, 32);
  }

  static Stream<Arguments> fitsAndRanks() {
    return each(2, 3, 5);
  }

  // ---- gradients: one model ----

  private static Ensemble.Builder gradients(int models) {
    return Ensemble.builder(NETWORK, models).seed(4).optimizer(new Adam(0.02)).exchange(Exchange.gradient()).device(Device.cpu(2));
  }

  private static void assertAsOne(FitResult expected, Trainer one, EnsembleResult result, Ensemble ensemble) {
    for (EnsembleResult.OfModel model : result.models()) {
      assertArrayEquals(expected.losses(), model.losses());
      assertArrayEquals(expected.validationLosses(), model.validationLosses());
      assertEquals(expected.bestEpoch(), model.bestEpoch());
      assertEquals(expected.stoppedEarly(), model.stoppedEarly());
      assertEquals(expected.steps(), model.steps());
      assertFalse(result.cancelled());
      Bits.assertSame(one.parameters(), ensemble.parameters(model.model()), "model " + model.model());
    }
  }

  /** In the next fit, too, where the optimizer goes on as that of one. */
  @ParameterizedTest(name = "{0}, batch {1}")
  @MethodSource("fitsAndBatches")
  void exchangedGradientsAreOneTrainer(String name, int batch) {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Trainer one = Trainer.builder(NETWORK).seed(4).optimizer(new Adam(0.02)).build();
        Ensemble ensemble = gradients(3).build()) {
      Fit fit = fits(others).get(name).apply(Fit.epochs(40).batch(batch).shuffled(7));
      assertAsOne(one.fit(data, fit), one, ensemble.fit(data, fit), ensemble);
      Fit next = Fit.epochs(2).batch(batch);
      assertAsOne(one.fit(data, next), one, ensemble.fit(data, next), ensemble);
    }
  }

  /** Batches of many blocks, which ranks share out, and of one, which each computes. */
  @ParameterizedTest(name = "{0}, {1} ranks")
  @MethodSource("fitsAndRanks")
  void exchangedGradientsAreOneTrainerOnAnyRanks(String name, int ranks) {
    for (int batch : new int[] {5, 500}) {
      try (Dataset data = Rows.random(3, batch == 5 ? 60 : 700, NETWORK).dataset();
          Dataset others = OTHERS.dataset();
          Trainer one = Trainer.builder(NETWORK).seed(4).optimizer(new Adam(0.02)).build()) {
        Fit fit = fits(others).get(name).apply(Fit.epochs(40).batch(batch).shuffled(7));
        FitResult expected = one.fit(data, fit);
        Ranks.onThreads(
            ranks,
            all -> {
              // Only rank 0's start counts.
              try (Ensemble own = gradients(2).seed(4 + 7 * all.rank()).communicator(all).build()) {
                assertAsOne(expected, one, own.fit(data, fit), own);
                // Once it has ended nothing is shared.
                own.step(ROWS.x(), ROWS.y());
                return null;
              }
            });
      }
    }
  }

  // ---- averages: the mean ----

  private static Ensemble.Builder averaging(long every, int first, int end) {
    return Ensemble.builder(NETWORK, end - first).seed(first).learningRates(Arrays.copyOfRange(RATES, first, end))
        .exchange(Exchange.average(every)).device(Device.cpu(2));
  }

  @ParameterizedTest(name = "{0}, batch {1}")
  @MethodSource("fitsAndBatches")
  void averagedModelsAreValidatedAsTheirMean(String name, int batch) {
    for (long every : new long[] {1, 4, 1_000}) {
      try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset()) {
        Fit fit = fits(others).get(name).apply(Fit.epochs(40).batch(batch));
        Dataset validation = fit.validation();
        try (LocalSgd byHand = new LocalSgd(NETWORK, ROWS, validation, fit, every, 0, RATES, ORDERS).run();
            Ensemble ensemble = averaging(every, 0, MODELS).build()) {
          EnsembleResult result = ensemble.fit(data, fit, ORDERS);
          assertFalse(result.cancelled());
          for (int k = 0; k < MODELS; k++) {
            EnsembleResult.OfModel model = result.model(k);
            assertEquals(byHand.validationLosses, Arrays.stream(model.validationLosses()).boxed().toList(), "every " + every);
            assertEquals(byHand.bestEpoch, model.bestEpoch().orElse(0), "every " + every);
            assertEquals(byHand.stoppedEarly, model.stoppedEarly(), "every " + every);
            Bits.assertSame(byHand.learned, ensemble.parameters(k), "every " + every + ", model " + k);
          }
        }
      }
    }
  }

  @ParameterizedTest(name = "{0}, {1} ranks")
  @MethodSource("fitsAndRanks")
  void ranksDecideAsOneEnsemble(String name, int ranks) {
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset()) {
      Fit fit = fits(others).get(name).apply(Fit.epochs(40).batch(3));
      try (Ensemble whole = averaging(7, 0, MODELS).build()) {
        EnsembleResult expected = whole.fit(data, fit, ORDERS);
        Ranks.onThreads(
            ranks,
            all -> {
              int first = MODELS * all.rank() / ranks;
              int end = MODELS * (all.rank() + 1) / ranks;
              try (Ensemble own = averaging(7, first, end).communicator(all).build()) {
                EnsembleResult result = own.fit(data, fit, Arrays.copyOfRange(ORDERS, first, end));
                for (int k = first; k < end; k++) {
                  assertAlike(expected.model(k), result.model(k - first));
                  Bits.assertSame(whole.parameters(k), own.parameters(k - first), "model " + k);
                }
                return null;
              }
            });
      }
    }
  }

  private static void assertAlike(EnsembleResult.OfModel expected, EnsembleResult.OfModel actual) {
    assertArrayEquals(expected.losses(), actual.losses());
    assertArrayEquals(expected.validationLosses(), actual.validationLosses());
    assertEquals(expected.bestEpoch(), actual.bestEpoch());
    assertEquals(expected.stoppedEarly(), actual.stoppedEarly());
    assertEquals(expected.divergedAt(), actual.divergedAt());
  }

  /** The comparisons above would say little of fits that all ran to their end. */
  @Test
  void anEarlyEndComesWhenPatienceIsOverAndTakesTheBest() {
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset(); Ensemble ensemble = averaging(4, 0, MODELS).build()) {
      Fit fit = Fit.epochs(200).batch(5).validation(others).earlyStopping(3, 0);
      EnsembleResult.OfModel model = ensemble.fit(data, fit, ORDERS).model(0);
      assertTrue(model.stoppedEarly() && model.losses().length < 200, model.losses().length + " epochs");
      assertEquals(model.losses().length - 3, model.bestEpoch().orElseThrow());
      assertEquals(model.validationLosses()[model.bestEpoch().getAsInt() - 1], ensemble.evaluate(others)[3]);
    }
  }

  // ---- stops that can be computed by hand ----

  /** y = w x + b, with x = 0: a step with learning rate r turns b into b (1 - 2 r), and its loss is b². */
  private static Ensemble biases(Exchange exchange, double[] rates, float... b) {
    Network line = Network.of(1, 1);
    List<Model> models = IntStream.range(0, b.length).mapToObj(k -> new Model(line, new float[] {0, b[k]})).toList();
    return Ensemble.builder(models).learningRates(rates).exchange(exchange).build();
  }

  private static Dataset origin() {
    return Dataset.of(new float[] {0}, new float[] {0}, 1, 1);
  }

  /** Alone the first would get better for ever, and the second would stop after one epoch without gain. */
  @Test
  void theMeanPassesItsBest() {
    try (Dataset data = origin();
        Ensemble ensemble = biases(Exchange.average(1_000), new double[] {0.25, 0}, 4, -1)) {
      Fit fit = Fit.epochs(100).batch(1).validation(data).earlyStopping(2, 0);
      // b is 2, 1, 1/2, 1/4 and -1.
      EnsembleResult.OfModel model = ensemble.fit(data, fit).model(1);
      assertArrayEquals(new double[] {0.25, 0, 0.0625, 0.140625}, model.validationLosses());
      assertEquals(OptionalInt.of(2), model.bestEpoch());
      assertTrue(model.stoppedEarly());
      assertEquals(0, ensemble.parameters(0)[1]);
      assertEquals(0, ensemble.parameters(1)[1]);
    }
  }

  @Test
  void anExchangeChangesWhatIsValidatedNext() {
    try (Dataset data = origin();
        Ensemble ensemble = biases(Exchange.average(3), new double[] {0.25, 0}, 8, -2)) {
      Fit fit = Fit.epochs(100).batch(1).validation(data).earlyStopping(2, 0);
      // b is 4, 2, 1 and -2, then -1/2 both; then -1/4, -1/8 and -1/2.
      EnsembleResult.OfModel model = ensemble.fit(data, fit).model(0);
      assertArrayEquals(new double[] {1, 0, 0.25, 0.140625}, model.validationLosses());
      assertEquals(0, ensemble.parameters(0)[1]);
    }
  }

  @Test
  void theMeanOfTheAveragesPassesItsBest() {
    try (Dataset data = origin();
        Ensemble ensemble = biases(Exchange.average(1_000), new double[] {0.25, 0}, 4, -1)) {
      Fit fit = Fit.epochs(100).batch(1).validation(data).earlyStopping(2, 0).ema(0.5);
      // The averages are 2, 3/2, 1, 5/8, 3/8 and -1.
      EnsembleResult.OfModel model = ensemble.fit(data, fit).model(0);
      assertArrayEquals(new double[] {0.25, 0.0625, 0, 0.03515625, 0.09765625}, model.validationLosses());
      assertEquals(OptionalInt.of(3), model.bestEpoch());
      assertEquals(0, ensemble.parameters(1)[1]);
    }
  }

  /** The second's loss of a million leaves the mean where it is, so the first one's rate is halved from epoch 2 on. */
  @Test
  void aPlateauIsOneOfTheMeanOfTheLosses() {
    for (int ranks : new int[] {1, 2}) {
      List<Float> biases =
          Ranks.onThreads(
              ranks,
              all -> {
                float[] start = {4, -1_000};
                double[] rates = {0.25, 0};
                int first = ranks == 1 ? 0 : all.rank();
                int end = ranks == 1 ? 2 : first + 1;
                try (Dataset data = origin();
                    Ensemble own =
                        Ensemble.builder(
                                IntStream.range(first, end).mapToObj(k -> new Model(Network.of(1, 1), new float[] {0, start[k]})).toList())
                            .learningRates(Arrays.copyOfRange(rates, first, end))
                            .exchange(Exchange.average(1_000)).communicator(all).build()) {
                  own.fit(data, Fit.epochs(4).batch(1).schedule(Schedule.plateau(0.5, 0, 0)));
                  return own.parameters(0)[1];
                }
              });
      // b is 2, 1, 3/4, 21/32 by the rates 1/4, 1/4, 1/8, 1/16.
      assertEquals((0.65625f - 1_000) / 2, biases.get(0));
    }
  }

  // ---- models that diverge ----

  /** Rank 1 has no other: it goes on with the rest, and its model stays as it was. */
  @ParameterizedTest
  @ValueSource(strings = {"average:4", "average:1000"})
  void whoDivergesHasNoPartInTheMean(String exchange) {
    double[] rates = {0.02, 1e30, 0.02};
    Fit fit = Fit.epochs(20).batch(5).swa(1);
    try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset()) {
      Fit validated = fit.validation(others).earlyStopping(30, 0);
      Function<int[], Ensemble.Builder> builder =
          models ->
              Ensemble.builder(NETWORK, models.length).seeds(Arrays.stream(models).asLongStream().toArray())
                  .learningRates(Arrays.stream(models).mapToDouble(k -> rates[k]).toArray()).exchange(Exchange.parse(exchange));
      try (Ensemble whole = builder.apply(new int[] {0, 1, 2}).build(); Ensemble sound = builder.apply(new int[] {0, 2}).build()) {
        EnsembleResult expected = whole.fit(data, validated);
        EnsembleResult without = sound.fit(data, validated);
        assertTrue(expected.model(1).divergedAt().isPresent());
        assertArrayEquals(without.model(0).validationLosses(), expected.model(0).validationLosses());
        Bits.assertSame(sound.parameters(0), whole.parameters(2), "without the one that diverged");
        Ranks.onThreads(
            3,
            all -> {
              try (Ensemble own = builder.apply(new int[] {all.rank()}).communicator(all).build()) {
                assertAlike(expected.model(all.rank()), own.fit(data, validated).model(0));
                Bits.assertSame(whole.parameters(all.rank()), own.parameters(0), "rank " + all.rank());
                return null;
              }
            });
      }
    }
  }

  // ---- ends ----

  @ParameterizedTest
  @ValueSource(strings = {"average:3", "average:1000000", "gradient"})
  void aRankThatCancelsEndsAllWithTheBestSoFar(String exchange) {
    for (boolean patient : new boolean[] {false, true}) {
      try (Dataset data = ROWS.dataset(); Dataset others = OTHERS.dataset()) {
        List<float[]> ends =
            Ranks.onThreads(
                3,
                all -> {
                  try (Ensemble own =
                      Ensemble.builder(NETWORK, 2).seed(2 * all.rank()).exchange(Exchange.parse(exchange)).communicator(all).build()) {
                    AtomicInteger reports = new AtomicInteger();
                    Fit endless =
                        Fit.epochs(1_000_000).batch(5).ema(0.5).validation(others).onProgress(
                            progress -> {
                              if (all.rank() == 2 && reports.incrementAndGet() == 3) {
                                own.cancel();
                              }
                            });
                    EnsembleResult result = own.fit(data, patient ? endless.earlyStopping(Integer.MAX_VALUE, 0) : endless);
                    assertTrue(result.cancelled());
                    if (patient) {
                      int best = result.model(0).bestEpoch().orElseThrow();
                      assertEquals(result.model(0).validationLosses()[best - 1], own.evaluate(others)[1]);
                    }
                    return own.parameters(0);
                  }
                });
        Bits.assertSame(ends.get(0), ends.get(1), "ranks 0 and 1");
        Bits.assertSame(ends.get(0), ends.get(2), "ranks 0 and 2");
      }
    }
  }

  @Test
  void ranksThatDoNotDecideAlikeAreNamed() {
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        Dataset fewer = Rows.random(2, 59, NETWORK).dataset()) {
      Fit fit = Fit.epochs(2).batch(5).validation(others);
      assertTrue(mismatch(rank -> fit.earlyStopping(1 + rank, 0), rank -> data).contains("early stopping"));
      assertTrue(mismatch(rank -> fit.validation(rank == 0 ? others : data), rank -> data).contains("checksum of the validation rows"));
      assertTrue(mismatch(rank -> rank == 0 ? fit.ema(0.5) : fit.swa(1), rank -> data).contains("average"));
      assertTrue(mismatch(rank -> fit, rank -> rank == 0 ? data : fewer).contains("rows 59"));
    }
  }

  private static String mismatch(Function<Integer, Fit> fit, Function<Integer, Dataset> data) {
    return assertThrows(
            RankMismatchException.class,
            () ->
                Ranks.onThreads(
                    2,
                    all -> {
                      try (Ensemble own = averaging(3, 0, 2).communicator(all).build()) {
                        return own.fit(data.apply(all.rank()), fit.apply(all.rank()));
                      }
                    }))
        .getMessage();
  }

  // ---- groups and splits ----

  @Test
  void groupsOfOneSizeAverageTheirWeights() {
    List<String> names = IntStream.range(0, 60).mapToObj(row -> "group " + row % MODELS).toList();
    try (GroupedDataset data = GroupedDataset.of(ROWS.x(), ROWS.y(), 6, 1, names);
        Ensemble weighted =
            averaging(4, 0, MODELS).exchange(Exchange.average(4).weightedBySamples()).build();
        Ensemble plain = averaging(4, 0, MODELS).build()) {
      Fit fit = Fit.epochs(9).batch(5).ema(0.9);
      weighted.fit(data, fit);
      plain.fit(data, fit);
      Bits.assertSame(plain.parameters(0), weighted.parameters(0), "each counts the same");
      Bits.assertSame(plain.parameters(0), plain.parameters(4), "all end alike");
    }
  }

  @Test
  void whatHasNoCommonEndOfAnEpochIsRefused() {
    List<String> names = IntStream.range(0, 60).mapToObj(row -> "group " + (row < 31 ? 0 : 1)).toList();
    try (Dataset data = ROWS.dataset();
        Dataset others = OTHERS.dataset();
        GroupedDataset groups = GroupedDataset.of(ROWS.x(), ROWS.y(), 6, 1, names);
        Split first = data.fold(0, 2, 3);
        Split second = data.fold(1, 2, 3);
        Ensemble average = averaging(3, 0, 2).build();
        Ensemble gradient = gradients(2).build()) {
      Fit fit = Fit.epochs(2);
      refuse("average:3 have averages of weights only with as many rows each, but model 0 has 31 and model 1 has 29",
          () -> average.fit(groups, fit.ema(0.5)));
      refuse("average:3 have reduce-on-plateau only with as many rows each",
          () -> average.fit(groups, fit.schedule(Schedule.plateau(0.5, 1, 0))));
      refuse("average:3 have validation and early stopping only with as many rows each",
          () -> average.fit(List.of(new Split(data, others), new Split(first.training(), others)), fit));
      for (Ensemble exchanging : List.of(average, gradient)) {
        refuse("learn from each other's rows, which cannot validate them", () -> exchanging.fit(List.of(first, second), fit));
      }
      // One split for all is validation like any other.
      assertEquals(2, average.fit(List.of(first, first), fit).model(1).validationLosses().length);
    }
  }

  private static void refuse(String part, Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(part), message);
    assertEquals(1, message.lines().count(), message);
  }
}
