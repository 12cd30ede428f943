package io.ringstep.workload;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

/** The oracle: the same training in float64, written to be read. No benchmark is timed before it agrees. */
public final class Float64 {
  private static final int B1 = HIDDEN * INPUTS;
  private static final int W2 = B1 + HIDDEN;
  private static final int B2 = W2 + HIDDEN;

  private Float64() {}

  /** The parameters after {@code steps} steps of {@code batch} rows, each taking the next rows, round and round. */
  public static double[] train(Problem problem, int batch, int steps) {
    double[] p = startingPoint();
    double[] h = new double[HIDDEN];
    int row = 0;
    for (int s = 0; s < steps; s++) {
      double[] g = new double[p.length];
      for (int r = 0; r < batch; r++, row = (row + 1) % problem.rows) {
        double d = 2 * (forward(p, problem.x, row, h) - problem.y[row]);
        g[B2] += d;
        for (int j = 0; j < HIDDEN; j++) {
          double dh = d * p[W2 + j];
          g[W2 + j] += d * h[j];
          g[B1 + j] += dh;
          for (int i = 0; i < INPUTS; i++) {
            g[j * INPUTS + i] += dh * problem.x[row * INPUTS + i];
          }
        }
      }
      for (int k = 0; k < p.length; k++) {
        p[k] -= Problem.LEARNING_RATE / batch * g[k];
      }
    }
    return p;
  }

  /** The untrained network's answers. */
  public static double[] predict(Problem problem) {
    double[] p = startingPoint();
    double[] h = new double[HIDDEN];
    double[] y = new double[problem.rows];
    for (int r = 0; r < y.length; r++) {
      y[r] = forward(p, problem.x, r, h);
    }
    return y;
  }

  /** The largest difference; ends the benchmark where it is more than rounding explains. */
  public static double requireClose(String what, float[] actual, double[] expected) {
    double worst = 0;
    for (int k = 0; k < expected.length; k++) {
      double difference = Math.abs(actual[k] - expected[k]);
      if (!(difference <= 1e-5)) {
        throw new IllegalStateException(
            what + "[" + k + "] is " + actual[k] + " where float64 has " + expected[k] + ", so it is not timed");
      }
      worst = Math.max(worst, difference);
    }
    return worst;
  }

  private static double forward(double[] p, float[] x, int row, double[] h) {
    double out = p[B2];
    for (int j = 0; j < HIDDEN; j++) {
      h[j] = p[B1 + j];
      for (int i = 0; i < INPUTS; i++) {
        h[j] += p[j * INPUTS + i] * x[row * INPUTS + i];
      }
      out += p[W2 + j] * h[j];
    }
    return out;
  }

  private static double[] startingPoint() {
    float[] start = Problem.start();
    double[] wide = new double[start.length];
    for (int k = 0; k < wide.length; k++) {
      wide[k] = start[k];
    }
    return wide;
  }
}
