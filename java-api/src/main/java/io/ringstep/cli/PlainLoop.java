package io.ringstep.cli;

import java.util.Arrays;
import java.util.Random;

/**
 * What one would write without a library: Linear(10→20→1) on plain arrays, for this one network, with fc1.weight
 * transposed as the JIT compiler vectorises only over neighbours. The measure of {@code ringstep bench}.
 */
final class PlainLoop {
  static final int INPUTS = 10;
  static final int HIDDEN = 20;
  static final int PARAMETERS = HIDDEN * INPUTS + HIDDEN + HIDDEN + 1;

  private final float learningRate;
  private final float[] w1 = new float[INPUTS * HIDDEN]; // [10, 20]
  private final float[] b1 = new float[HIDDEN];
  private final float[] w2 = new float[HIDDEN];
  private float b2;
  private final float[] h = new float[HIDDEN];
  private final float[] dh = new float[HIDDEN];
  private final float[] w1Gradient = new float[INPUTS * HIDDEN];
  private final float[] b1Gradient = new float[HIDDEN];
  private final float[] w2Gradient = new float[HIDDEN];

  /** Starts at {@code flat}, in the order of {@link io.ringstep.Network#parameters}. */
  PlainLoop(float[] flat, double learningRate) {
    this.learningRate = (float) learningRate;
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        w1[i * HIDDEN + j] = flat[j * INPUTS + i];
      }
    }
    System.arraycopy(flat, HIDDEN * INPUTS, b1, 0, HIDDEN);
    System.arraycopy(flat, HIDDEN * INPUTS + HIDDEN, w2, 0, HIDDEN);
    b2 = flat[PARAMETERS - 1];
  }

  /** Uniform ±1/√in, as PyTorch starts a Linear. */
  static float[] start(Random random) {
    float[] flat = new float[PARAMETERS];
    for (int k = 0; k < flat.length; k++) {
      int inputs = k < HIDDEN * INPUTS + HIDDEN ? INPUTS : HIDDEN;
      flat[k] = (float) ((2 * random.nextDouble() - 1) / Math.sqrt(inputs));
    }
    return flat;
  }

  /** One step of batch 1 on each row. */
  void train(float[] x, float[] y) {
    for (int r = 0; r < y.length; r++) {
      float d = 2 * learningRate * (predict(x, r) - y[r]);
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

  /** One step on all rows together. */
  void trainBatch(float[] x, float[] y) {
    Arrays.fill(w1Gradient, 0);
    Arrays.fill(b1Gradient, 0);
    Arrays.fill(w2Gradient, 0);
    float b2Gradient = 0;
    for (int r = 0; r < y.length; r++) {
      float d = 2 * (predict(x, r) - y[r]);
      b2Gradient += d;
      for (int j = 0; j < HIDDEN; j++) {
        dh[j] = d * w2[j];
        w2Gradient[j] += d * h[j];
        b1Gradient[j] += dh[j];
      }
      for (int i = 0; i < INPUTS; i++) {
        float xi = x[r * INPUTS + i];
        for (int j = 0; j < HIDDEN; j++) {
          w1Gradient[i * HIDDEN + j] += xi * dh[j];
        }
      }
    }
    float scale = learningRate / y.length;
    for (int k = 0; k < w1.length; k++) {
      w1[k] -= scale * w1Gradient[k];
    }
    for (int j = 0; j < HIDDEN; j++) {
      b1[j] -= scale * b1Gradient[j];
      w2[j] -= scale * w2Gradient[j];
    }
    b2 -= scale * b2Gradient;
  }

  void predict(float[] x, float[] answers) {
    for (int r = 0; r < answers.length; r++) {
      answers[r] = predict(x, r);
    }
  }

  private float predict(float[] x, int row) {
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

  float[] parameters() {
    float[] flat = new float[PARAMETERS];
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        flat[j * INPUTS + i] = w1[i * HIDDEN + j];
      }
    }
    System.arraycopy(b1, 0, flat, HIDDEN * INPUTS, HIDDEN);
    System.arraycopy(w2, 0, flat, HIDDEN * INPUTS + HIDDEN, HIDDEN);
    flat[PARAMETERS - 1] = b2;
    return flat;
  }
}
