package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;
import static jdk.incubator.vector.VectorOperators.ADD;

import io.ringstep.workload.Problem;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Batch 1, all weights in registers from the first step to the last: 20 hidden units are two vectors of 16, the second
 * ("high") padded with zeros. Written out, as only a local variable becomes a register.
 */
final class SeedSteps {
  private static final VectorSpecies<Float> V = FloatVector.SPECIES_512;
  private static final int WIDTH = 2 * V.length();
  private static final float LR = (float) Problem.LEARNING_RATE;

  private final float[] w1 = new float[INPUTS * WIDTH]; // [10, 32]
  private final float[] b1 = new float[WIDTH];
  private final float[] w2 = new float[WIDTH];
  private float b2;

  void train(float[] x, float[] y, int steps) {
    FloatVector b1l = low(b1, 0);
    FloatVector b1h = high(b1, 0);
    FloatVector w2l = low(w2, 0);
    FloatVector w2h = high(w2, 0);
    FloatVector l0 = low(w1, 0);
    FloatVector h0 = high(w1, 0);
    FloatVector l1 = low(w1, 1);
    FloatVector h1 = high(w1, 1);
    FloatVector l2 = low(w1, 2);
    FloatVector h2 = high(w1, 2);
    FloatVector l3 = low(w1, 3);
    FloatVector h3 = high(w1, 3);
    FloatVector l4 = low(w1, 4);
    FloatVector h4 = high(w1, 4);
    FloatVector l5 = low(w1, 5);
    FloatVector h5 = high(w1, 5);
    FloatVector l6 = low(w1, 6);
    FloatVector h6 = high(w1, 6);
    FloatVector l7 = low(w1, 7);
    FloatVector h7 = high(w1, 7);
    FloatVector l8 = low(w1, 8);
    FloatVector h8 = high(w1, 8);
    FloatVector l9 = low(w1, 9);
    FloatVector h9 = high(w1, 9);
    float bias = b2;
    for (int s = 0, k = 0; s < steps; s++, k += INPUTS) {
      FloatVector x0 = FloatVector.broadcast(V, x[k + 0]);
      FloatVector x1 = FloatVector.broadcast(V, x[k + 1]);
      FloatVector x2 = FloatVector.broadcast(V, x[k + 2]);
      FloatVector x3 = FloatVector.broadcast(V, x[k + 3]);
      FloatVector x4 = FloatVector.broadcast(V, x[k + 4]);
      FloatVector x5 = FloatVector.broadcast(V, x[k + 5]);
      FloatVector x6 = FloatVector.broadcast(V, x[k + 6]);
      FloatVector x7 = FloatVector.broadcast(V, x[k + 7]);
      FloatVector x8 = FloatVector.broadcast(V, x[k + 8]);
      FloatVector x9 = FloatVector.broadcast(V, x[k + 9]);
      // Two sums each, so that no addition waits for the one before it.
      FloatVector low = l0.fma(x0, b1l);
      FloatVector lowOdd = l1.mul(x1);
      FloatVector high = h0.fma(x0, b1h);
      FloatVector highOdd = h1.mul(x1);
      low = l2.fma(x2, low);
      high = h2.fma(x2, high);
      lowOdd = l3.fma(x3, lowOdd);
      highOdd = h3.fma(x3, highOdd);
      low = l4.fma(x4, low);
      high = h4.fma(x4, high);
      lowOdd = l5.fma(x5, lowOdd);
      highOdd = h5.fma(x5, highOdd);
      low = l6.fma(x6, low);
      high = h6.fma(x6, high);
      lowOdd = l7.fma(x7, lowOdd);
      highOdd = h7.fma(x7, highOdd);
      low = l8.fma(x8, low);
      high = h8.fma(x8, high);
      lowOdd = l9.fma(x9, lowOdd);
      highOdd = h9.fma(x9, highOdd);
      low = low.add(lowOdd);
      high = high.add(highOdd);
      float minus = 2 * LR * (y[s] - bias - low.mul(w2l).add(high.mul(w2h)).reduceLanes(ADD));
      bias += minus;
      FloatVector d = FloatVector.broadcast(V, minus);
      FloatVector dl = w2l.mul(d);
      FloatVector dh = w2h.mul(d);
      w2l = low.fma(d, w2l);
      w2h = high.fma(d, w2h);
      b1l = b1l.add(dl);
      b1h = b1h.add(dh);
      l0 = dl.fma(x0, l0);
      h0 = dh.fma(x0, h0);
      l1 = dl.fma(x1, l1);
      h1 = dh.fma(x1, h1);
      l2 = dl.fma(x2, l2);
      h2 = dh.fma(x2, h2);
      l3 = dl.fma(x3, l3);
      h3 = dh.fma(x3, h3);
      l4 = dl.fma(x4, l4);
      h4 = dh.fma(x4, h4);
      l5 = dl.fma(x5, l5);
      h5 = dh.fma(x5, h5);
      l6 = dl.fma(x6, l6);
      h6 = dh.fma(x6, h6);
      l7 = dl.fma(x7, l7);
      h7 = dh.fma(x7, h7);
      l8 = dl.fma(x8, l8);
      h8 = dh.fma(x8, h8);
      l9 = dl.fma(x9, l9);
      h9 = dh.fma(x9, h9);
    }
    b2 = bias;
    store(b1, 0, b1l, b1h);
    store(w2, 0, w2l, w2h);
    store(w1, 0, l0, h0);
    store(w1, 1, l1, h1);
    store(w1, 2, l2, h2);
    store(w1, 3, l3, h3);
    store(w1, 4, l4, h4);
    store(w1, 5, l5, h5);
    store(w1, 6, l6, h6);
    store(w1, 7, l7, h7);
    store(w1, 8, l8, h8);
    store(w1, 9, l9, h9);
  }

  void predict(float[] x, float[] answers) {
    FloatVector b1l = low(b1, 0);
    FloatVector b1h = high(b1, 0);
    FloatVector w2l = low(w2, 0);
    FloatVector w2h = high(w2, 0);
    for (int r = 0; r < answers.length; r++) {
      FloatVector low = b1l;
      FloatVector high = b1h;
      for (int i = 0; i < INPUTS; i++) {
        FloatVector in = FloatVector.broadcast(V, x[r * INPUTS + i]);
        low = low(w1, i).fma(in, low);
        high = high(w1, i).fma(in, high);
      }
      answers[r] = b2 + low.mul(w2l).add(high.mul(w2h)).reduceLanes(ADD);
    }
  }

  void set(float[] flat) {
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        w1[i * WIDTH + j] = flat[j * INPUTS + i];
      }
    }
    System.arraycopy(flat, HIDDEN * INPUTS, b1, 0, HIDDEN);
    System.arraycopy(flat, HIDDEN * INPUTS + HIDDEN, w2, 0, HIDDEN);
    b2 = flat[HIDDEN * INPUTS + 2 * HIDDEN];
  }

  void get(float[] flat) {
    for (int j = 0; j < HIDDEN; j++) {
      for (int i = 0; i < INPUTS; i++) {
        flat[j * INPUTS + i] = w1[i * WIDTH + j];
      }
    }
    System.arraycopy(b1, 0, flat, HIDDEN * INPUTS, HIDDEN);
    System.arraycopy(w2, 0, flat, HIDDEN * INPUTS + HIDDEN, HIDDEN);
    flat[HIDDEN * INPUTS + 2 * HIDDEN] = b2;
  }

  private static FloatVector low(float[] values, int row) {
    return FloatVector.fromArray(V, values, row * WIDTH);
  }

  private static FloatVector high(float[] values, int row) {
    return FloatVector.fromArray(V, values, row * WIDTH + V.length());
  }

  private static void store(float[] values, int row, FloatVector low, FloatVector high) {
    low.intoArray(values, row * WIDTH);
    high.intoArray(values, row * WIDTH + V.length());
  }
}
