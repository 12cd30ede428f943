package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Ensembles that exchange with those of other ranks. */
@Timeout(120)
class EnsembleRanksTest {
  private static final Network NETWORK = Network.of(6, 20, 1).withActivation(Activation.TANH);
  private static final int MODELS = 7;
  private static final Rows ROWS = Rows.random(1, 140, NETWORK);

  private static Ensemble.Builder builder(Exchange exchange, int first, int end) {
    return Ensemble.builder(NETWORK, end - first).optimizer(new Adam(0.01)).seed(first).exchange(exchange).device(Device.cpu(1));
  }

  static Stream<Arguments> exchanges() {
    return Stream.of(Exchange.average(1), Exchange.average(13), Exchange.average(1_000_000), Exchange.gradient())
        .flatMap(exchange -> Stream.of(2, 3, 7).map(ranks -> Arguments.of(exchange, ranks)));
  }

  @ParameterizedTest
  @MethodSource("exchanges")
  void ranksChangeNoBit(Exchange exchange, int ranks) {
    Fit fit = Fit.epochs(6).batch(5).shuffled(3).schedule(Schedule.cosine(0.001));
    boolean gradient = exchange.equals(Exchange.gradient());
    long[] orders = LongStream.range(0, MODELS).map(k -> 10 + k).toArray();
    try (Dataset data = ROWS.dataset(); Ensemble whole = builder(exchange, 0, MODELS).build()) {
      EnsembleResult expected = gradient ? whole.fit(data, fit) : whole.fit(data, fit, orders);
      List<List<Model>> models =
          Ranks.onThreads(
              ranks,
              all -> {
                int first = MODELS * all.rank() / ranks;
                int end = MODELS * (all.rank() + 1) / ranks;
                try (Ensemble own = builder(exchange, first, end).communicator(all).build()) {
                  EnsembleResult result =
                      gradient ? own.fit(data, fit) : own.fit(data, fit, Arrays.copyOfRange(orders, first, end));
                  for (int k = first; k < end; k++) {
                    assertArrayEquals(expected.model(k).losses(), result.model(k - first).losses(), "model " + k);
                  }
                  return own.gatherModels(all);
                }
              });
      for (List<Model> seen : models) {
        assertEquals(MODELS, seen.size());
        for (int k = 0; k < MODELS; k++) {
          Bits.assertSame(whole.parameters(k), seen.get(k).parameters(), "model " + k);
        }
      }
    }
  }

  @Test
  void groupsAreWeightedByTheirRows() {
    List<String> names = IntStream.range(0, 140).mapToObj(row -> "group " + (row % 9 > 2 ? row % 3 : 3)).toList();
    Fit fit = Fit.epochs(4).batch(3).shuffled(3);
    Exchange exchange = Exchange.average(4).weightedBySamples();
    try (GroupedDataset data = GroupedDataset.of(ROWS.x(), ROWS.y(), 6, 1, names);
        Ensemble whole = builder(exchange, 0, 4).build();
        Ensemble plain = builder(Exchange.average(4), 0, 4).build()) {
      whole.fit(data, fit);
      plain.fit(data, fit);
      assertTrue(whole.parameters(0)[0] != plain.parameters(0)[0]);
      Ranks.onThreads(
          3,
          all -> {
            int first = 4 * all.rank() / 3;
            int end = 4 * (all.rank() + 1) / 3;
            try (GroupedDataset part = data.part(first, end);
                Ensemble own = builder(exchange, first, end).communicator(all).build()) {
              own.fit(part, fit);
              Bits.assertSame(whole.parameters(0), own.parameters(0), "rank " + all.rank());
              return null;
            }
          });
    }
  }

  @Test
  void aRankThatCancelsEndsAll() {
    for (Exchange exchange : List.of(Exchange.average(3), Exchange.gradient())) {
      List<Long> steps;
      try (Dataset data = ROWS.dataset()) {
        steps =
            Ranks.onThreads(
                3,
                all -> {
                  try (Ensemble own = builder(exchange, 0, 2).communicator(all).build()) {
                    Fit fit = Fit.epochs(5_000_000).batch(5);
                    Fit listening =
                        fit.onProgress(
                            progress -> {
                              if (all.rank() == 2) {
                                own.cancel();
                              }
                            });
                    EnsembleResult result = own.fit(data, listening);
                    assertTrue(result.cancelled());
                    return result.model(0).steps();
                  }
                });
      }
      assertTrue(steps.get(0) > 0);
      if (exchange.equals(Exchange.gradient())) {
        assertEquals(1, steps.stream().distinct().count(), "all end after the same step: " + steps);
      }
    }
  }

  @Test
  void ranksThatDoNotDoTheSameAreNamed() {
    try (Dataset data = ROWS.dataset(); Dataset other = Rows.random(2, 140, NETWORK).dataset()) {
      String batch =
          mismatch(
              all -> {
                try (Ensemble own = builder(Exchange.average(3), 0, 2).communicator(all).build()) {
                  return own.fit(data, Fit.epochs(2).batch(all.rank() == 1 ? 7 : 5));
                }
              });
      assertTrue(batch.contains("batch") && batch.contains("rank 1"), batch);
      String exchange =
          mismatch(
              all -> {
                try (Ensemble own = builder(Exchange.average(all.rank() + 3), 0, 2).communicator(all).build()) {
                  return own.fit(data, Fit.epochs(2));
                }
              });
      assertTrue(exchange.contains("exchange") && exchange.contains("average:3"), exchange);
      String rows =
          mismatch(
              all -> {
                try (Ensemble own = builder(Exchange.gradient(), 0, 2).communicator(all).build()) {
                  return own.fit(all.rank() == 1 ? other : data, Fit.epochs(2));
                }
              });
      assertTrue(rows.contains("data checksum"), rows);
    }
  }

  private static String mismatch(Function<Communicator, Object> body) {
    return assertThrows(RankMismatchException.class, () -> Ranks.onThreads(2, body)).getMessage();
  }

  @Test
  void partsOfGroupsKeepNamesAndStandardizers() {
    List<String> names = IntStream.range(0, 140).mapToObj(row -> "group " + row % 5).toList();
    try (GroupedDataset raw = GroupedDataset.of(ROWS.x(), ROWS.y(), 6, 1, names);
        GroupedDataset data = raw.standardized();
        GroupedDataset part = data.part(1, 4)) {
      assertEquals(List.of("group 1", "group 2", "group 3"), part.names());
      for (int g = 0; g < 3; g++) {
        assertEquals(data.standardizer(g + 1), part.standardizer(g));
        try (Dataset expected = data.group(g + 1); Dataset actual = part.group(g)) {
          assertArrayEquals(expected.x(), actual.x());
          assertArrayEquals(expected.y(), actual.y());
        }
      }
      assertThrows(IllegalArgumentException.class, () -> data.part(2, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> data.part(2, 6));
    }
  }
}
