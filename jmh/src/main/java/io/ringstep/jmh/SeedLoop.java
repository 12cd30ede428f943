package io.ringstep.jmh;

import io.ringstep.Dataset;
import io.ringstep.Fit;
import io.ringstep.FitResult;
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

/**
 * 10,000 steps of batch 1, through each of the three ways to take them. The figures are of one step.
 *
 * <p>The weights go on from one invocation to the next. What a step costs does not depend on them, as the noise in
 * the data keeps every gradient away from the slow denormal numbers.
 */
@State(Scope.Thread)
@OperationsPerInvocation(SeedLoop.STEPS)
public class SeedLoop extends Schedule {
  static final int STEPS = 10_000;
  private static final Fit ONE_EPOCH = Fit.epochs(1).batch(1);

  @Param("cpu")
  public String device;

  private Trainer trainer;
  private Dataset dataset;
  private float[][] xRows;
  private float[][] yRows;
  private FloatBuffer x;
  private FloatBuffer y;

  @Setup
  public void open() {
    Problem problem = new Problem(STEPS);
    trainer = Ringstep.trainer(Ringstep.device(device, 1));
    dataset = Ringstep.dataset(problem);
    x = DirectFloats.of(problem.x);
    y = DirectFloats.of(problem.y);
    xRows = new float[STEPS][];
    yRows = new float[STEPS][];
    for (int r = 0; r < STEPS; r++) {
      xRows[r] = Arrays.copyOfRange(problem.x, r * Problem.INPUTS, (r + 1) * Problem.INPUTS);
      yRows[r] = new float[] {problem.y[r]};
    }
    double[] expected = Float64.train(problem, 1, STEPS);
    check("fit", this::fit, expected);
    check("stepArrays", this::stepArrays, expected);
    check("stepBuffers", this::stepBuffers, expected);
  }

  private void check(String name, Runnable loop, double[] expected) {
    trainer.setParameters(Problem.start());
    loop.run();
    Float64.requireClose(name, trainer.parameters(), expected);
  }

  @TearDown
  public void close() {
    trainer.close();
    dataset.close();
  }

  /** One native call for all steps. */
  @Benchmark
  public FitResult fit() {
    return trainer.fit(dataset, ONE_EPOCH);
  }

  /** A call a step, each with two arrays of its own. */
  @Benchmark
  public void stepArrays() {
    for (int r = 0; r < STEPS; r++) {
      trainer.step(xRows[r], yRows[r]);
    }
  }

  /** A call a step, on a window that moves over two direct buffers. */
  @Benchmark
  public void stepBuffers() {
    for (int r = 0; r < STEPS; r++) {
      trainer.step(x.limit((r + 1) * Problem.INPUTS).position(r * Problem.INPUTS), y.limit(r + 1).position(r));
    }
    x.clear();
    y.clear();
  }
}
