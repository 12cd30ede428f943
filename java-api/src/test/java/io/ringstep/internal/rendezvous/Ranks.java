package io.ringstep.internal.rendezvous;

import io.ringstep.Rendezvous;
import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/** Runs the ranks of a job in threads of this JVM. */
final class Ranks {
  static final String SECRET = "a secret of the tests";
  private static final int PATIENCE_SECONDS = 30;

  private Ranks() {}

  /** What a rank gave or threw. */
  record Outcome<T>(T value, Throwable failure) {}

  /** Makes the ranks of a job, each in a thread of its own. */
  static List<Rendezvous> tcp(int worldSize, Duration deadline) throws Exception {
    HostPort address = new HostPort("127.0.0.1", freePort());
    return values(each(worldSize, rank -> () -> TcpRendezvous.join(address, rank, worldSize, SECRET, deadline)));
  }

  static <T> List<T> values(List<Outcome<T>> outcomes) {
    List<T> values = new ArrayList<>();
    for (Outcome<T> outcome : outcomes) {
      if (outcome.failure != null) {
        throw new AssertionError(outcome.failure);
      }
      values.add(outcome.value);
    }
    return values;
  }

  /** Calls every rank's part at the same time. */
  static <T> List<Outcome<T>> each(int worldSize, IntFunction<Callable<T>> parts) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try {
      List<Future<T>> futures = new ArrayList<>();
      for (int rank = 0; rank < worldSize; rank++) {
        futures.add(threads.submit(parts.apply(rank)));
      }
      List<Outcome<T>> outcomes = new ArrayList<>();
      for (Future<T> future : futures) {
        outcomes.add(outcome(future));
      }
      return outcomes;
    } finally {
      threads.shutdownNow();
      threads.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  private static <T> Outcome<T> outcome(Future<T> future) throws Exception {
    try {
      return new Outcome<>(future.get(PATIENCE_SECONDS, TimeUnit.SECONDS), null);
    } catch (ExecutionException e) {
      return new Outcome<>(null, e.getCause());
    }
  }

  /** Leaves in good order: rank 0 waits for the rest. */
  static void closeAll(List<Rendezvous> ranks) throws Exception {
    each(
        ranks.size(),
        rank ->
            () -> {
              ranks.get(rank).close();
              return null;
            });
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
