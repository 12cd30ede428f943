package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
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

/** One model a group, each validated with rows of its group: as that model alone with these rows. */
class GroupedValidationTest {
  private static final Network NETWORK = Network.of(3, 5, 1).withActivation(Activation.TANH);

  /** Rows of each group, among them groups of one row, which cannot be validated, and the last, whose target is constant. */
  private static final int[] COUNTS = {40, 1, 2, 3, 17, 1, 64, 5, 33, 12, 8, 1, 90, 21, 4, 55, 13, 6, 29, 10};

  private static final int GROUPS = COUNTS.length;
  private static final double SHARE = 0.3;
  private static final long SEED = 6;

  /** The groups' rows come one in turn, as long as each has some. */
  private static GroupedDataset rows() {
    List<String> names = new ArrayList<>();
    for (int round = 0; round < Arrays.stream(COUNTS).max().orElseThrow(); round++) {
      for (int g = 0; g < GROUPS; g++) {
        if (round < COUNTS[g]) {
          names.add("group " + g);
        }
      }
    }
    Rows all = Rows.random(1, names.size(), NETWORK);
    for (int row = 0; row < names.size(); row++) {
      if (names.get(row).equals("group " + (GROUPS - 1))) {
        all.y()[row] = 7;
      }
    }
    return GroupedDataset.of(all.x(), all.y(), 3, 1, names);
  }

  private static GroupedSplit split() {
    try (GroupedDataset rows = rows(); GroupedSplit raw = rows.split(SHARE, SEED)) {
      return raw.standardized();
    }
  }

  /** Of group g alone, and standardized; of one row, without validation. */
  private static Split alone(int g) {
    try (GroupedDataset rows = rows(); Dataset own = rows.group(g)) {
      if (COUNTS[g] == 1) {
        return new Split(own.standardized(), null);
      }
      try (Split raw = own.split(SHARE, SEED + g)) {
        return raw.standardized();
      }
    }
  }

  /** What a fit is told besides its validation: to stop early, where there is one. */
  private record Settings(String name, UnaryOperator<Fit> own, int patience) {
    Fit apply(Fit fit, boolean validates) {
      Fit set = own.apply(fit);
      return validates && patience > 0 ? set.earlyStopping(patience, 0.001) : set;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Arguments> settings() {
    Schedule cosine = Schedule.cosine(0.001).withWarmup(9, 0.1);
    return Stream.of(
            new Settings("nothing else", fit -> fit, 0),
            new Settings("patience", fit -> fit, 2),
            new Settings("patience and an EMA", fit -> fit.ema(0.9), 3),
            new Settings("an EMA and a cosine", fit -> fit.ema(0.8).schedule(cosine), 0),
            new Settings("SWA and steps", fit -> fit.swa(2).schedule(Schedule.step(3, 0.5)), 0),
            new Settings("patience and SWA", fit -> fit.swa(2), 4),
            new Settings("a plateau", fit -> fit.schedule(Schedule.plateau(0.5, 1, 0.0001)), 0),
            new Settings("a plateau, patience and an EMA", fit -> fit.ema(0.7).schedule(Schedule.plateau(0.3, 0, 0)), 3))
        .flatMap(settings -> IntStream.of(1, 4, 32).mapToObj(batch -> Arguments.of(settings, batch)));
  }

  /** Group 4 diverges with plain SGD. */
  private static double rate(int g) {
    return g == 4 ? 1e30 : 0.01 + 0.002 * g;
  }

  private static Ensemble.Builder builder(int from, int to) {
    return Ensemble.builder(NETWORK, to - from).seed(from)
        .learningRates(IntStream.range(from, to).mapToDouble(GroupedValidationTest::rate).toArray());
  }

  private static long[] orders(int from, int to) {
    return LongStream.range(from, to).map(g -> 5 * g).toArray();
  }

  /** @param rows with no validation to train without */
  private static void assertAsAlone(Ensemble ensemble, EnsembleResult result, int g, Split rows, Settings settings, Fit fit) {
    boolean validates = rows.validation() != null;
    Fit own = settings.apply(fit.shuffled(orders(g, g + 1)[0]), validates);
    EnsembleResult.OfModel model = result.model(g);
    String name = "group " + g;
    try (Trainer alone = Trainer.builder(NETWORK).seed(g).optimizer(new Sgd(rate(g))).build()) {
      try {
        FitResult expected = alone.fit(rows.training(), validates ? own.validation(rows.validation()) : own);
        assertArrayEquals(expected.losses(), model.losses(), name);
        assertArrayEquals(expected.validationLosses(), model.validationLosses(), name);
        assertEquals(expected.bestEpoch(), model.bestEpoch(), name);
        assertEquals(expected.stoppedEarly(), model.stoppedEarly(), name);
        assertEquals(expected.samples(), model.samples(), name);
        assertEquals(OptionalLong.empty(), model.divergedAt(), name);
      } catch (DivergedException e) {
        assertEquals(OptionalLong.of(e.step()), model.divergedAt(), name);
      }
      Bits.assertSame(alone.parameters(), ensemble.parameters(g), name);
    }
    assertEquals(rows.training().standardizer(), ensemble.model(g).standardizer(), name);
  }

  @ParameterizedTest(name = "{0}, batch {1}")
  @MethodSource("settings")
  void everyModelIsAsAlone(Settings settings, int batch) {
    Fit fit = Fit.epochs(25).batch(batch);
    try (GroupedSplit split = split(); Ensemble ensemble = builder(0, GROUPS).build()) {
      EnsembleResult result = ensemble.fit(split, settings.apply(fit, true), orders(0, GROUPS));
      double[] losses = ensemble.evaluate(split.validation());
      for (int g = 0; g < GROUPS; g++) {
        Split alone = alone(g);
        assertAsAlone(ensemble, result, g, alone, settings, fit);
        assertEquals(alone.validation() == null, Double.isNaN(losses[g]) && result.model(g).divergedAt().isEmpty(), "group " + g);
        OptionalInt best = result.model(g).bestEpoch();
        if (best.isPresent() && result.model(g).divergedAt().isEmpty()) {
          assertEquals(result.model(g).validationLosses()[best.getAsInt() - 1], losses[g], "group " + g);
        }
        close(alone);
      }
    }
  }

  private static void close(Split rows) {
    rows.training().close();
    if (rows.validation() != null) {
      rows.validation().close();
    }
  }

  @ParameterizedTest(name = "{0}, batch {1}")
  @MethodSource("settings")
  void everyModelIsAsAloneWithoutValidation(Settings settings, int batch) {
    Fit fit = Fit.epochs(12).batch(batch);
    try (GroupedDataset raw = rows(); GroupedDataset data = raw.standardized(); Ensemble ensemble = builder(0, GROUPS).build()) {
      EnsembleResult result = ensemble.fit(data, settings.apply(fit, false), orders(0, GROUPS));
      for (int g = 0; g < GROUPS; g++) {
        try (Dataset own = data.group(g)) {
          assertAsAlone(ensemble, result, g, new Split(own, null), settings, fit);
        }
      }
    }
  }

  @Test
  void groupsStopAtDifferentEpochs() {
    try (GroupedSplit split = split(); Ensemble ensemble = builder(0, GROUPS).build()) {
      EnsembleResult result = ensemble.fit(split, Fit.epochs(60).batch(4).earlyStopping(2, 0));
      List<EnsembleResult.OfModel> stopped = result.models().stream().filter(EnsembleResult.OfModel::stoppedEarly).toList();
      assertTrue(stopped.stream().map(model -> model.losses().length).distinct().count() > 3, stopped.size() + " stopped early");
      assertTrue(stopped.stream().allMatch(model -> model.losses().length == model.bestEpoch().orElseThrow() + 2));
    }
  }

  @ParameterizedTest(name = "{0} ranks")
  @ValueSource(ints = {2, 3, 20})
  void ranksChangeNoBit(int ranks) {
    Fit fit = Fit.epochs(30).batch(4).earlyStopping(2, 0).ema(0.5);
    try (GroupedSplit split = split(); Ensemble whole = builder(0, GROUPS).build()) {
      EnsembleResult expected = whole.fit(split, fit, orders(0, GROUPS));
      Ranks.onThreads(
          ranks,
          all -> {
            int from = GROUPS * all.rank() / ranks;
            int to = GROUPS * (all.rank() + 1) / ranks;
            try (GroupedSplit own = split.part(from, to); Ensemble ensemble = builder(from, to).device(Device.cpu(1)).build()) {
              EnsembleResult result = ensemble.fit(own, fit, orders(from, to)).gather(all);
              List<Model> models = ensemble.gatherModels(all, split.training());
              for (int g = 0; g < GROUPS; g++) {
                Bits.assertSame(whole.parameters(g), models.get(g).parameters(), "group " + g);
                assertEquals(whole.model(g).standardizer(), models.get(g).standardizer(), "group " + g);
                assertArrayEquals(expected.model(g).validationLosses(), result.model(g).validationLosses(), "group " + g);
                assertEquals(expected.model(g).bestEpoch(), result.model(g).bestEpoch(), "group " + g);
              }
              return null;
            }
          });
    }
  }

  @Test
  void aGroupIsDividedAsADatasetOfItsRows() {
    try (GroupedDataset rows = rows(); GroupedSplit split = rows.split(SHARE, SEED); GroupedSplit part = split.part(1, 4)) {
      assertEquals(rows.rows(), split.training().rows() + split.validation().rows());
      for (int g = 0; g < GROUPS; g++) {
        assertEquals(COUNTS[g] == 1 ? 0 : Math.max(1, Math.round(SHARE * COUNTS[g])), split.validation().rows(g));
        assertEquals(COUNTS[g], split.training().rows(g) + split.validation().rows(g));
        if (COUNTS[g] > 1) {
          try (Dataset own = rows.group(g); Split alone = own.split(SHARE, SEED + g)) {
            assertSameRows(alone.training(), split.training(), g);
            assertSameRows(alone.validation(), split.validation(), g);
          }
        }
      }
      assertEquals(List.of("group 1", "group 2", "group 3"), part.validation().names());
      try (Dataset expected = split.validation().group(3)) {
        assertSameRows(expected, part.validation(), 2);
      }
    }
  }

  private static void assertSameRows(Dataset expected, GroupedDataset actual, int g) {
    try (Dataset own = actual.group(g)) {
      assertArrayEquals(expected.x(), own.x(), "group " + g);
      assertArrayEquals(expected.y(), own.y(), "group " + g);
    }
  }

  /** Rows of another source, whose groups come in another order and not all. */
  @Test
  void otherRowsValidateTheGroupsThatTheyHave() {
    Rows others = Rows.random(2, 6, NETWORK);
    Settings settings = new Settings("patience", fit -> fit, 2);
    Fit fit = Fit.epochs(20).batch(4);
    List<String> names = List.of("group 8", "group 0", "group 8", "group 1", "group 8", "group 0");
    try (GroupedDataset training = rows();
        GroupedDataset read = GroupedDataset.of(others.x(), others.y(), 3, 1, names);
        GroupedDataset validation = read.inGroups(training.names());
        GroupedSplit split = new GroupedSplit(training, validation).standardized();
        Ensemble ensemble = builder(0, GROUPS).build()) {
      EnsembleResult result = ensemble.fit(split, settings.apply(fit, true), orders(0, GROUPS));
      Map<Integer, int[]> validating = new LinkedHashMap<>();
      validating.put(0, new int[] {1, 5});
      validating.put(1, new int[] {3});
      validating.put(8, new int[] {0, 2, 4});
      for (int g = 0; g < GROUPS; g++) {
        int[] own = validating.get(g);
        try (Dataset alone = training.group(g); Dataset picked = own == null ? null : others.pick(own).dataset()) {
          Standardizer standardizer = Standardizer.of(alone);
          Split rows = new Split(alone.standardized(), own == null ? null : picked.standardized(standardizer));
          assertAsAlone(ensemble, result, g, rows, settings, fit);
          close(rows);
        }
      }
    }
  }

  @Test
  void allGroupsThatCannotBeValidatedTrainToTheEnd() {
    try (GroupedSplit split = split(); GroupedSplit few = split.part(11, 12); Ensemble ensemble = builder(11, 12).build()) {
      assertEquals(0, few.validation().rows());
      EnsembleResult.OfModel model = ensemble.fit(few, Fit.epochs(9).earlyStopping(1, 0)).model(0);
      assertEquals(9, model.losses().length);
      assertEquals(0, model.validationLosses().length);
      assertEquals(OptionalInt.empty(), model.bestEpoch());
      assertFalse(model.stoppedEarly());
      assertTrue(Double.isNaN(ensemble.evaluate(few.validation())[0]));
    }
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() {
    Rows others = Rows.random(2, 2, NETWORK);
    try (GroupedDataset rows = rows();
        GroupedSplit split = split();
        GroupedDataset singles = GroupedDataset.of(others.x(), others.y(), 3, 1, List.of("a", "b"));
        GroupedDataset unknown = GroupedDataset.of(others.x(), others.y(), 3, 1, List.of("group 0", "west"));
        GroupedDataset narrow = GroupedDataset.of(new float[2], new float[2], 1, 1, List.of("a", "b"));
        Dataset single = singles.group(0);
        Ensemble ensemble = builder(0, GROUPS).build()) {
      Fit fit = Fit.epochs(2);
      refuse("no group by group has two rows", () -> singles.split(0.5, 1));
      refuse("above 0 and below 1", () -> rows.split(1, 1));
      refuse("group 'west' is none of the 20", () -> unknown.inGroups(rows.names()));
      refuse("see GroupedDataset.inGroups", () -> new GroupedSplit(rows, unknown));
      refuse("1 inputs and 1 targets", () -> new GroupedSplit(singles, narrow));
      refuse("use GroupedSplit.standardized", () -> new GroupedSplit(rows, split.validation()));
      refuse("no rows here", () -> split.validation().group(1));
      refuse("model 1: it has 0 rows", () -> ensemble.fit(split.validation(), fit));
      refuse("needs validation rows", () -> ensemble.fit(split.training(), fit.earlyStopping(2, 0)));
      refuse("leave Fit.validation out", () -> ensemble.fit(split, fit.validation(single)));
      refuse("leave Fit.validation out", () -> ensemble.fit(split.training(), fit.validation(single)));
      refuse("the data has 2 groups", () -> ensemble.evaluate(singles));
      assertThrows(IllegalStateException.class, split::standardized);
      assertThrows(IllegalStateException.class, () -> split.validation().inGroups(rows.names()));
    }
  }

  private static void refuse(String part, Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(part), message);
  }
}
