package io.ringstep.workload;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Predictions of 2^20 rows at once: a peer's share of {@code Forward.all}. The figures are of one row. */
@State(Scope.Thread)
@Fork(2)
@Measurement(iterations = 3)
public class PeerForward extends Schedule {
  private static final int ALL = 1 << 20;

  @Param({"1", "2"})
  public int threads;

  private Peer peer;

  @Setup
  public void open() {
    Problem problem = new Problem(ALL);
    peer = Peer.find();
    peer.open(Problem.start(), problem, Math.min(threads, peer.mostThreads()));
    Float64.requireClose("predict", peer.predict(ALL), Float64.predict(problem));
  }

  @TearDown
  public void close() {
    peer.close();
  }

  @Benchmark
  @OperationsPerInvocation(ALL)
  public float[] all() {
    return peer.predict(ALL);
  }
}
