package io.ringstep;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Function;

/**
 * Ranks that are threads of this process, instead of processes.
 *
 * <pre>{@code
 * Model model = Ranks.onThreads(4, ranks -> {
 *   try (Trainer trainer = Trainer.builder(network).communicator(ranks).build()) {
 *     trainer.fit(data, fit);
 *     return trainer.model();
 *   }
 * }).get(0);
 * }</pre>
 */
public final class Ranks {
  private Ranks() {}

  /**
   * Runs {@code body} once for each rank, each on a thread of its own, and waits for all of them.
   *
   * @param worldSize number of ranks, at least 1
   * @param body gets its rank's communicator, which is closed afterwards
   * @return what each returned, by rank
   * @throws RuntimeException what the first of them to fail threw; the others were told, and have ended too
   */
  public static <T> List<T> onThreads(int worldSize, Function<Communicator, T> body) {
    return onThreads(worldSize, Rendezvous.DEFAULT_DEADLINE, body);
  }

  /**
   * The same with another deadline.
   *
   * @param deadline how long a rank is waited for
   * @see #onThreads(int, Function)
   */
  public static <T> List<T> onThreads(int worldSize, Duration deadline, Function<Communicator, T> body) {
    return start(
        worldSize, deadline, body, rendezvous -> Communicator.of(rendezvous, Communicator.Backend.LOCAL));
  }

  /**
   * Runs {@code body} once for each device, as {@link #onThreads(int, Function)} does for a number of ranks.
   *
   * @param devices each rank's own, for its trainers; at least one, and with {@link Communicator.Backend#NCCL} GPUs
   * @param backend what connects the ranks
   * @see #onThreads(int, Function)
   */
  public static <T> List<T> onDevices(
      List<Device> devices, Communicator.Backend backend, Function<Communicator, T> body) {
    List<Device> own = List.copyOf(devices);
    return start(
        own.size(), Rendezvous.DEFAULT_DEADLINE, body,
        rendezvous -> Communicator.of(rendezvous, backend, own.get(rendezvous.rank())));
  }

  private static <T> List<T> start(
      int worldSize, Duration deadline, Function<Communicator, T> body, Function<Rendezvous, Communicator> connect) {
    Objects.requireNonNull(body, "body");
    List<FutureTask<T>> tasks = new ArrayList<>();
    for (Rendezvous rendezvous : Rendezvous.inProcess(worldSize, deadline)) {
      FutureTask<T> task = new FutureTask<>(() -> run(rendezvous, body, connect));
      tasks.add(task);
      new Thread(task, "ringstep-rank-" + rendezvous.rank()).start();
    }
    return results(tasks);
  }

  private static <T> T run(
      Rendezvous rendezvous, Function<Communicator, T> body, Function<Rendezvous, Communicator> connect) {
    try (rendezvous;
        Communicator ranks = connect.apply(rendezvous)) {
      try {
        return body.apply(ranks);
      } catch (CollectiveException e) {
        throw e; // the others know
      } catch (RuntimeException | Error e) {
        ranks.abort(String.valueOf(e.getMessage()));
        throw e;
      }
    }
  }

  /** Of several failures, the one that others are the consequence of. */
  private static <T> List<T> results(List<FutureTask<T>> tasks) {
    List<T> results = new ArrayList<>();
    Throwable failure = null;
    for (FutureTask<T> task : tasks) {
      try {
        results.add(await(task));
      } catch (ExecutionException e) {
        if (failure == null || failure instanceof CollectiveException && !(e.getCause() instanceof CollectiveException)) {
          failure = e.getCause();
        }
      }
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
    return results;
  }

  /** The threads cannot be abandoned: an interrupt waits, too. */
  private static <T> T await(FutureTask<T> task) throws ExecutionException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
