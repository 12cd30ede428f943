package io.ringstep.jmh;

import io.ringstep.Communicator;
import io.ringstep.Rendezvous;
import io.ringstep.workload.Schedule;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Sums of 241 floats, the gradient of Linear(10→20→1), over ranks that are threads of this process. {@code jmh/allreduce}
 * has processes, beside C programs.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class AllReduce extends Schedule {
  private static final int FLOATS = 241;
  private static final int SUMS = 2_000;

  @Param({"2", "4"})
  public int ranks;

  @Param({"LOCAL", "TCP"})
  public Communicator.Backend backend;

  private ExecutorService threads;
  private List<Rendezvous> job;
  private List<Communicator> communicators;

  @Setup
  public void open() throws Exception {
    threads = Executors.newFixedThreadPool(ranks);
    job = Rendezvous.inProcess(ranks);
    communicators = onAll(rank -> Communicator.of(job.get(rank), backend));
  }

  @TearDown
  public void close() throws Exception {
    onAll(
        rank -> {
          communicators.get(rank).close();
          job.get(rank).close();
          return null;
        });
    threads.shutdown();
  }

  @Benchmark
  @OperationsPerInvocation(SUMS)
  public void sum() throws Exception {
    onAll(
        rank -> {
          float[] values = new float[FLOATS];
          for (int i = 0; i < SUMS; i++) {
            communicators.get(rank).allReduce(values);
          }
          return null;
        });
  }

  @FunctionalInterface
  private interface Part<T> {
    T of(int rank) throws Exception;
  }

  private <T> List<T> onAll(Part<T> part) throws Exception {
    List<Callable<T>> parts = new ArrayList<>();
    for (int r = 0; r < ranks; r++) {
      int rank = r;
      parts.add(() -> part.of(rank));
    }
    List<T> results = new ArrayList<>();
    for (Future<T> future : threads.invokeAll(parts)) {
      results.add(future.get());
    }
    return results;
  }
}
