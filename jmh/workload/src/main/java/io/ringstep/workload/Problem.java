package io.ringstep.workload;

/**
 * What is trained: Linear(10→20→1) on rows with a noisy linear target. Number for number the problem of {@code
 * ../../line/problem.h}, so all sides of a ratio do the same work on the same data.
 */
public final class Problem {
  public static final int INPUTS = 10;
  public static final int HIDDEN = 20;
  public static final double LEARNING_RATE = 0.01;
  public static final int PARAMETERS = HIDDEN * INPUTS + HIDDEN + HIDDEN + 1;

  public final int rows;
  public final float[] x; // [rows, 10]
  public final float[] y; // [rows]

  public Problem(int rows) {
    this.rows = rows;
    x = new float[rows * INPUTS];
    y = new float[rows];
    Lcg random = new Lcg(2);
    for (int r = 0; r < rows; r++) {
      double target = 0;
      for (int i = 0; i < INPUTS; i++) {
        float v = random.normal();
        x[r * INPUTS + i] = v;
        target += 0.1 * (i - 4) * v;
      }
      // The noise keeps errors, and with them gradients, far from zero however long the training.
      y[r] = (float) (target + 0.1 * random.normal());
    }
  }

  /** Uniform ±1/√in, in the layout of PyTorch: fc1.weight [20, 10], fc1.bias, fc2.weight, fc2.bias. */
  public static float[] start() {
    Lcg random = new Lcg(1);
    float[] parameters = new float[PARAMETERS];
    int firstLayer = HIDDEN * INPUTS + HIDDEN;
    for (int k = 0; k < parameters.length; k++) {
      parameters[k] = random.uniform(1 / Math.sqrt(k < firstLayer ? INPUTS : HIDDEN));
    }
    return parameters;
  }

  /** Knuth's 64-bit linear congruential generator: two lines in any language, the same numbers everywhere. */
  private static final class Lcg {
    private long state;

    Lcg(long seed) {
      state = seed;
    }

    private long bits24() {
      state = state * 6364136223846793005L + 1442695040888963407L;
      return state >>> 40;
    }

    float uniform(double bound) {
      return (float) ((bits24() * 0x1p-23 - 1) * bound);
    }

    /** Four uniforms added up: mean 0, variance 1, near enough to normal for a timing. */
    float normal() {
      long sum = bits24() + bits24() + bits24() + bits24();
      return (float) ((sum * 0x1p-24 - 2) * Math.sqrt(3));
    }
  }
}
