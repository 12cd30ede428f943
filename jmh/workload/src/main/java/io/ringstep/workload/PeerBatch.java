package io.ringstep.workload;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Steps on one batch that stays where it is: a peer's share of {@code BatchStep}. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(2)
@Measurement(iterations = 3)
public class PeerBatch extends Schedule {
  private static final int CHECKED_STEPS = 3;

  @Param({"64", "1024", "16384", "1048576"})
  public int batch;

  @Param({"1", "2"})
  public int threads;

  private Peer peer;
  private int steps;

  @Setup
  public void open() {
    Problem problem = new Problem(batch);
    peer = Peer.find();
    peer.open(Problem.start(), problem, Math.min(threads, peer.mostThreads()));
    peer.train(batch, CHECKED_STEPS);
    Float64.requireClose("train", peer.parameters(), Float64.train(problem, batch, CHECKED_STEPS));
    steps = Math.max(1, (1 << 17) / batch);
  }

  @TearDown
  public void close() {
    peer.close();
  }

  @Benchmark
  public void train(Samples counter) {
    peer.train(batch, steps);
    counter.samples += (long) batch * steps;
  }
}
