package io.ringstep.jmh;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

import io.ringstep.workload.Float64;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Schedule;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * What one would write without a library: the seed loop on plain arrays, for this one network, in one method. Its
 * sizes are constants and fc1.weight is transposed, as the JIT compiler vectorises only over neighbours; like the
 * C++ line it leaves the loss out.
 */
@State(Scope.Thread)
@OperationsPerInvocation(SeedLoop.STEPS)
public class PlainJava extends Schedule {
  private static final float LR = (float) Problem.LEARNING_RATE;

  private final float[] w1 = new float[INPUTS * HIDDEN]; // [10, 20]
  private final float[] b1 = new float[HIDDEN];
  private final float[] w2 = new float[HIDDEN];
  private float b2;
  private final float[] h = new float[HIDDEN];
  private final float[] dh = new float[HIDDEN];
  private float[] x;
  private float[] y;
  private final float[] predictions = new float[SeedLoop.STEPS];

  @Setup
  public void open() {
    Problem problem = new Problem(SeedLoop.STEPS);
    x = problem.x;
    y = problem.y;
    setParameters(Problem.start());
    Float64.requireClose("forward", forward(), Float64.predict(problem));
    train();
    Float64.requireClose("train", parameters(), Float64.train(problem, 1, SeedLoop.STEPS));
  }

  @Benchmark
  public void train() {
    for (int r = 0; r < SeedLoop.STEPS; r++) {
      float d = 2 * LR * (forward(r) - y[r]);
      b2 -= d;
      for (int j = 0; j < HIDDEN; j++) {
        dh[j] = d * w2[j];
        w2[j] -= d * h[j];
        b1[j] -= dh[j];
      }
      for (int i = 0; i < INPUTS; i++) {
        float xi = x[r * INPUTS + i];
        for (int j = 0; j < HIDDEN; j++) {
          w1[i * HIDDEN + j] -= xi * dh[j];
        }
      }
    }
  }

  @Benchmark
  public float[] forward() {
    for (int r = 0; r < SeedLoop.STEPS; r++) {
      predictions[r] = forward(r);
    }
    return predictions;
  }

  private float forward(int row) {
    System.arraycopy(b1, 0, h, 0, HIDDEN);
    for (int i = 0; i < INPUTS; i++) {
      float xi = x[row * INPUTS + i];
      for (int j = 0; j < HIDDEN; j++) {
        h[j] += xi * w1[i * HIDDEN + j];
      }
    }
    float out = b2;
    for (int j = 0; j < HIDDEN; j++) {
      out += w2[j] * h[j];
    }
    return out;
  }

  private void setParameters(float[] flat) {
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        w1[i * HIDDEN + j] = flat[j * INPUTS + i];
      }
    }
    System.arraycopy(flat, HIDDEN * INPUTS, b1, 0, HIDDEN);
    System.arraycopy(flat, HIDDEN * INPUTS + HIDDEN, w2, 0, HIDDEN);
    b2 = flat[flat.length - 1];
  }

  private float[] parameters() {
    float[] flat = new float[Problem.PARAMETERS];
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        flat[j * INPUTS + i] = w1[i * HIDDEN + j];
      }
    }
    System.arraycopy(b1, 0, flat, HIDDEN * INPUTS, HIDDEN);
    System.arraycopy(w2, 0, flat, HIDDEN * INPUTS + HIDDEN, HIDDEN);
    flat[flat.length - 1] = b2;
    return flat;
  }
}
