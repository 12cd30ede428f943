package io.ringstep.workload;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Steps of batch 1, and predictions of one row each: a peer's share of {@code SeedLoop} and {@code Forward}. */
@State(Scope.Thread)
@Fork(2)
@Measurement(iterations = 3)
public class PeerSeed extends Schedule {
  /** Rows, and steps a call: fewer than Ringstep's 10,000, as a step takes up to a millisecond. */
  static final int STEPS = 1_000;

  private Peer peer;

  @Setup
  public void open() {
    Problem problem = new Problem(STEPS);
    peer = Peer.find();
    peer.open(Problem.start(), problem, 1);
    Float64.requireClose("predict", peer.predict(1), Float64.predict(problem));
    peer.train(1, STEPS);
    Float64.requireClose("train", peer.parameters(), Float64.train(problem, 1, STEPS));
  }

  @TearDown
  public void close() {
    peer.close();
  }

  @Benchmark
  @OperationsPerInvocation(STEPS)
  public void train() {
    peer.train(1, STEPS);
  }

  @Benchmark
  @OperationsPerInvocation(STEPS)
  public float[] forward() {
    return peer.predict(1);
  }
}
