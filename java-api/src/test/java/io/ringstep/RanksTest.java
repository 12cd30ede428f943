package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Trainers that are ranks of one job, each in a thread of its own. */
@Timeout(120)
class RanksTest {
  private static final Duration DEADLINE = Duration.ofSeconds(5);
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.TANH);

  /** Neither the rows nor the last batch divide evenly by anything. */
  private static final int ROWS = 1153;

  private static final Fit FIT = Fit.epochs(5).batch(500).shuffled(3);

  @TempDir Path folder;

  enum How {
    IN_PROCESS,
    TCP
  }

  @FunctionalInterface
  private interface Part<T> {
    T of(Communicator ranks) throws Exception;
  }

  private record Outcome<T>(T value, Throwable failure) {}

  private static <T> List<Outcome<T>> run(How how, int worldSize, Part<T> part) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    List<Rendezvous> inProcess = how == How.IN_PROCESS ? Rendezvous.inProcess(worldSize, DEADLINE) : List.of();
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try {
      List<Future<T>> futures = new ArrayList<>();
      for (int rank = 0; rank < worldSize; rank++) {
        int own = rank;
        futures.add(
            threads.submit(
                () -> {
                  try (Rendezvous rendezvous =
                          how == How.TCP
                              ? Rendezvous.tcp("localhost:" + port, own, worldSize, "secret", DEADLINE)
                              : inProcess.get(own);
                      Communicator ranks = Communicator.of(rendezvous)) {
                    assertEquals(how == How.TCP ? "tcp" : "local", ranks.name());
                    return part.of(ranks);
                  }
                }));
      }
      List<Outcome<T>> outcomes = new ArrayList<>();
      for (Future<T> future : futures) {
        try {
          outcomes.add(new Outcome<>(future.get(60, TimeUnit.SECONDS), null));
        } catch (ExecutionException e) {
          outcomes.add(new Outcome<>(null, e.getCause()));
        }
      }
      return outcomes;
    } finally {
      threads.shutdownNow();
    }
  }

  private static Dataset data(int rows) {
    Random random = new Random(1);
    float[] x = new float[rows * 10];
    float[] y = new float[rows];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < rows; i++) {
      y[i] = x[10 * i] - 2 * x[10 * i + 3];
    }
    return Dataset.of(x, y, 10, 1);
  }

  private static Trainer.Builder trainer() {
    return Trainer.builder(NETWORK).optimizer(new Adam(0.01)).seed(3);
  }

  private static Trainer.Builder collapsed() {
    return Trainer.builder(Network.of(10, 20, 1)).optimizer(new Sgd(0.01)).seed(3).collapsed(true);
  }

  private static float[] alone(Fit fit) {
    try (Dataset data = data(ROWS);
        Trainer trainer = trainer().build()) {
      trainer.fit(data, fit);
      return trainer.parameters();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "IN_PROCESS, 1", "IN_PROCESS, 2", "IN_PROCESS, 3", "IN_PROCESS, 4", "IN_PROCESS, 7", "TCP, 1", "TCP, 2", "TCP, 3",
    "TCP, 7"
  })
  void theWeightsAreThoseOfOneDevice(How how, int worldSize) throws Exception {
    float[] expected = alone(FIT);
    List<Outcome<float[]>> outcomes =
        run(
            how, worldSize,
            ranks -> {
              try (Dataset data = data(ROWS);
                  Trainer trainer = trainer().communicator(ranks).build()) {
                FitResult result = trainer.fit(data, FIT);
                assertEquals(15, result.steps());
                return trainer.parameters();
              }
            });
    for (Outcome<float[]> outcome : outcomes) {
      assertNull(outcome.failure);
      assertArrayEquals(expected, outcome.value);
    }
  }

  @Test
  void aCollapsedNetworkHasTheBitsOfOneDevice() throws Exception {
    float[] expected;
    try (Dataset data = data(ROWS);
        Trainer trainer = collapsed().build()) {
      trainer.fit(data, FIT);
      expected = trainer.parameters();
    }
    List<Outcome<float[]>> outcomes =
        run(
            How.IN_PROCESS, 3,
            ranks -> {
              try (Dataset data = data(ROWS);
                  Trainer trainer = collapsed().communicator(ranks).build()) {
                trainer.fit(data, FIT);
                return trainer.parameters();
              }
            });
    for (Outcome<float[]> outcome : outcomes) {
      assertNull(outcome.failure);
      assertArrayEquals(expected, outcome.value);
    }
  }

  @ParameterizedTest
  @EnumSource
  void sumsAndBroadcasts(How how) throws Exception {
    List<Outcome<String>> outcomes =
        run(
            how, 3,
            ranks -> {
              float[] values = {1, ranks.rank()};
              ranks.allReduce(values);
              byte[] bytes = {(byte) ranks.rank(), 5};
              ranks.broadcast(bytes, 2);
              ranks.barrier();
              return values[0] + " " + values[1] + " " + bytes[0] + " " + bytes[1];
            });
    outcomes.forEach(outcome -> assertEquals("3.0 3.0 2 5", outcome.value));
  }

  @ParameterizedTest
  @EnumSource
  void otherDataIsNamed(How how) throws Exception {
    List<Outcome<float[]>> outcomes =
        run(
            how, 3,
            ranks -> {
              try (Dataset data = data(ranks.rank() == 1 ? ROWS + 1 : ROWS);
                  Trainer trainer = trainer().communicator(ranks).build()) {
                trainer.fit(data, FIT);
                return trainer.parameters();
              }
            });
    for (Outcome<float[]> outcome : outcomes) {
      RankMismatchException e = assertInstanceOf(RankMismatchException.class, outcome.failure);
      assertEquals(1, e.rank());
      assertTrue(e.getMessage().startsWith("rank 1 has rows 1154, data checksum "), e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void otherInitialWeightsAreNamed(How how) throws Exception {
    List<Outcome<float[]>> outcomes =
        run(
            how, 2,
            ranks -> {
              try (Dataset data = data(ROWS);
                  Trainer trainer = trainer().seed(ranks.rank()).communicator(ranks).build()) {
                trainer.fit(data, FIT);
                return trainer.parameters();
              }
            });
    for (Outcome<float[]> outcome : outcomes) {
      RankMismatchException e = assertInstanceOf(RankMismatchException.class, outcome.failure);
      assertTrue(e.getMessage().startsWith("rank 1 has checksum of the initial weights "), e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void aRankThatGivesUpAmidTrainingIsNamedByAll(How how) throws Exception {
    Fit endless = Fit.epochs(Integer.MAX_VALUE).batch(500);
    List<Outcome<float[]>> outcomes =
        run(
            how, 3,
            ranks -> {
              try (Dataset data = data(ROWS);
                  Trainer trainer = trainer().communicator(ranks).build()) {
                trainer.fit(
                    data,
                    endless.onProgress(
                        progress -> {
                          if (ranks.rank() == 2 && progress.epoch() > 20) {
                            ranks.abort("out of patience");
                          }
                        }));
                return trainer.parameters();
              }
            });
    for (Outcome<float[]> outcome : outcomes) {
      RankFailedException e = assertInstanceOf(RankFailedException.class, outcome.failure);
      assertEquals(2, e.rank());
      assertTrue(e.getMessage().endsWith("gave up: out of patience"), e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCancellationEndsAllAfterTheSameStep(How how) throws Exception {
    Fit endless = Fit.epochs(Integer.MAX_VALUE).batch(500);
    List<Outcome<String>> outcomes =
        run(
            how, 3,
            ranks -> {
              try (Dataset data = data(ROWS);
                  Trainer trainer = trainer().communicator(ranks).build()) {
                Fit fit =
                    endless.onProgress(
                        progress -> {
                          if (ranks.rank() == 1 && progress.epoch() > 20) {
                            trainer.cancel();
                          }
                        });
                FitResult result = trainer.fit(data, fit);
                assertTrue(result.cancelled());
                return result.steps() + " " + java.util.Arrays.hashCode(trainer.parameters());
              }
            });
    outcomes.forEach(outcome -> assertNull(outcome.failure));
    assertEquals(1, outcomes.stream().map(Outcome::value).distinct().count(), outcomes::toString);
  }

  @ParameterizedTest
  @EnumSource
  void allGoOnFromTheFilesOfRankZero(How how) throws Exception {
    Fit fit = Fit.epochs(12).batch(500).shuffled(3);
    float[] expected = alone(fit);
    // Three ranks begin, two go on: the number is no part of the training.
    run(how, 3, ranks -> train(ranks, Fit.epochs(7).batch(500).shuffled(3).checkpoint(folder, 5)));
    List<Outcome<float[]>> outcomes =
        run(
            how, 2,
            ranks ->
                train(ranks, ranks.rank() == 0 ? fit.resume(Checkpoint.latest(folder).orElseThrow()) : fit));
    for (Outcome<float[]> outcome : outcomes) {
      assertNull(outcome.failure);
      assertArrayEquals(expected, outcome.value);
    }
  }

  private static float[] train(Communicator ranks, Fit fit) {
    try (Dataset data = data(ROWS);
        Trainer trainer = trainer().communicator(ranks).build()) {
      trainer.fit(data, fit);
      return trainer.parameters();
    }
  }

  @Test
  void aRankThatNeverComesToTheFitIsNamed() throws Exception {
    List<Outcome<float[]>> outcomes =
        run(
            How.TCP, 3,
            ranks -> {
              if (ranks.rank() == 1) {
                Thread.sleep(DEADLINE.toMillis() + 1000);
                return null;
              }
              return train(ranks, FIT);
            });
    for (int rank = 0; rank < 3; rank += 2) {
      CollectiveTimeoutException e =
          assertInstanceOf(CollectiveTimeoutException.class, outcomes.get(rank).failure);
      assertTrue(e.getMessage().matches("rank 1 \\(.*\\) did not come to 'training' within 5 s"), e.getMessage());
    }
  }
}
