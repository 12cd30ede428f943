package io.ringstep.jmh;

import io.ringstep.Trainer;
import io.ringstep.workload.Float64;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Schedule;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;

/** Predictions: one row a call, and 2^20 rows in one call. The figures are of one row. */
public class Forward extends Schedule {
  private static final int ONES = 10_000;
  private static final int ALL = 1 << 20;

  /** Rows to predict one by one. */
  @State(Scope.Thread)
  public static class One {
    @Param("cpu")
    public String device;

    Trainer trainer;
    float[][] xRows;
    FloatBuffer x;
    FloatBuffer y;

    @Setup
    public void open() {
      Problem problem = new Problem(ONES);
      trainer = Ringstep.trainer(Ringstep.device(device, 1));
      xRows = new float[ONES][];
      for (int r = 0; r < ONES; r++) {
        xRows[r] = Arrays.copyOfRange(problem.x, r * Problem.INPUTS, (r + 1) * Problem.INPUTS);
      }
      x = DirectFloats.of(problem.x);
      y = DirectFloats.empty(ONES);
      double[] expected = Float64.predict(problem);
      for (int r = 0; r < ONES; r++) {
        Float64.requireClose("oneArray", trainer.predict(xRows[r]), new double[] {expected[r]});
      }
      new Forward().oneBuffer(this);
      Float64.requireClose("oneBuffer", floats(y), expected);
    }

    @TearDown
    public void close() {
      trainer.close();
    }
  }

  /** Rows to predict at once. */
  @State(Scope.Thread)
  public static class All {
    @Param({"1", "2"})
    public int threads;

    @Param("cpu")
    public String device;

    Trainer trainer;
    FloatBuffer x;
    FloatBuffer y;

    @Setup
    public void open() {
      Problem problem = new Problem(ALL);
      trainer = Ringstep.trainer(Ringstep.device(device, threads));
      x = DirectFloats.of(problem.x);
      y = DirectFloats.empty(ALL);
      trainer.predict(x, y);
      Float64.requireClose("all", floats(y), Float64.predict(problem));
    }

    @TearDown
    public void close() {
      trainer.close();
    }
  }

  /** The answer is a new array: the only allocation. */
  @Benchmark
  @OperationsPerInvocation(ONES)
  public void oneArray(One one, Blackhole answers) {
    for (int r = 0; r < ONES; r++) {
      answers.consume(one.trainer.predict(one.xRows[r]));
    }
  }

  @Benchmark
  @OperationsPerInvocation(ONES)
  public void oneBuffer(One one) {
    for (int r = 0; r < ONES; r++) {
      one.trainer.predict(
          one.x.limit((r + 1) * Problem.INPUTS).position(r * Problem.INPUTS), one.y.limit(r + 1).position(r));
    }
    one.x.clear();
    one.y.clear();
  }

  @Benchmark
  @OperationsPerInvocation(ALL)
  public void all(All all) {
    all.trainer.predict(all.x, all.y);
  }

  private static float[] floats(FloatBuffer buffer) {
    float[] values = new float[buffer.remaining()];
    buffer.duplicate().get(values);
    return values;
  }
}
