package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link Ranks#onThreads}: PyTorch's answers and one rank's bits, and failures that all threads end with. */
@Timeout(120)
class ThreadRanksTest {
  static List<GoldenCase> cases() throws Exception {
    return GoldenCase.all();
  }

  private static float[] train(GoldenCase golden, Communicator ranks, Communicator.Reduction reduction) {
    Trainer.Builder builder = Trainer.builder(golden.init()).optimizer(golden.optimizer());
    if (ranks != null) {
      builder.communicator(ranks).reduction(reduction);
    }
    try (Dataset data = golden.data();
        Trainer trainer = builder.build()) {
      trainer.fit(data, Fit.epochs(golden.epochs()).batch(golden.batch()));
      return trainer.parameters();
    }
  }

  /** Some need no sums, their batches being of one block; others share out each of their batches. */
  @ParameterizedTest
  @MethodSource("cases")
  void goldenCasesHaveOneRanksBits(GoldenCase golden) {
    float[] expected = train(golden, null, null);
    golden.assertAgrees(expected);
    for (int ranks : new int[] {1, 2, 3, 4, 7}) {
      for (float[] parameters : Ranks.onThreads(ranks, own -> train(golden, own, Communicator.Reduction.EXACT))) {
        assertArrayEquals(expected, parameters, golden + ", " + ranks + " ranks");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void floatsAreNearAndTheSameOnAllRanks(GoldenCase golden) {
    List<float[]> all = Ranks.onThreads(3, own -> train(golden, own, Communicator.Reduction.FLOAT));
    golden.assertAgrees(all.get(0));
    assertArrayEquals(all.get(0), all.get(1));
    assertArrayEquals(all.get(0), all.get(2));
  }

  private static Dataset rows(int seed) {
    java.util.Random random = new java.util.Random(seed);
    float[] x = new float[600];
    float[] y = new float[200];
    for (int i = 0; i < y.length; i++) {
      x[3 * i] = (float) random.nextGaussian();
      y[i] = x[3 * i] + (float) random.nextGaussian();
    }
    return Dataset.of(x, y, 3, 1);
  }

  private static FitResult stopEarly(Communicator ranks, int validationSeed) {
    try (Dataset data = rows(1);
        Dataset validation = rows(validationSeed);
        Trainer trainer = Trainer.builder(Network.of(3, 5, 1)).communicator(ranks).build()) {
      Schedule plateau = Schedule.plateau(0.5, 0, 0);
      return trainer.fit(
          data, Fit.epochs(50).batch(100).schedule(plateau).validation(validation).earlyStopping(2, 0.01));
    }
  }

  @Test
  void allStopEarlyAfterTheSameEpoch() {
    List<FitResult> results = Ranks.onThreads(3, own -> stopEarly(own, 2));
    assertTrue(results.get(0).stoppedEarly());
    for (FitResult result : results) {
      assertArrayEquals(results.get(0).validationLosses(), result.validationLosses());
      assertArrayEquals(results.get(0).losses(), result.losses());
    }
  }

  @Test
  void otherValidationRowsAreRefused() {
    RankMismatchException failure =
        assertThrows(RankMismatchException.class, () -> Ranks.onThreads(2, own -> stopEarly(own, 2 + own.rank())));
    assertTrue(failure.getMessage().contains("checksum of the validation rows"), failure.getMessage());
  }

  @Test
  void sumsBroadcastsAndWaits() {
    List<Float> sums =
        Ranks.onThreads(
            3,
            ranks -> {
              float[] values = {ranks.rank() + 1, 10};
              ranks.allReduce(values);
              assertEquals(30, values[1]);
              byte[] bytes = {(byte) (40 + ranks.rank())};
              ranks.broadcast(bytes, 2);
              assertEquals(42, bytes[0]);
              ranks.barrier();
              assertEquals(3, ranks.worldSize());
              return values[0];
            });
    assertEquals(List.of(6f, 6f, 6f), sums);
  }

  @Test
  void oneThreadsFailureEndsAll() {
    long start = System.nanoTime();
    IllegalStateException failure =
        assertThrows(
            IllegalStateException.class,
            () ->
                Ranks.onThreads(
                    3,
                    ranks -> {
                      if (ranks.rank() == 1) {
                        throw new IllegalStateException("the disk is full");
                      }
                      while (true) {
                        ranks.barrier();
                      }
                    }));
    assertEquals("the disk is full", failure.getMessage());
    assertTrue(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(30));
  }

  @Test
  void aThreadThatNeverComesIsNamed() {
    CollectiveException failure =
        assertThrows(
            CollectiveException.class,
            () ->
                Ranks.onThreads(
                    2, Duration.ofSeconds(2),
                    ranks -> {
                      if (ranks.rank() == 1) {
                        sleep(4_000);
                        return null;
                      }
                      ranks.barrier();
                      return null;
                    }));
    assertInstanceOf(CollectiveTimeoutException.class, failure);
    assertEquals(1, failure.rank());
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
