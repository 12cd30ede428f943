package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;
import static jdk.incubator.vector.VectorOperators.ADD;

import io.ringstep.workload.Problem;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Larger batches: a vector runs across 16 samples, as in {@code line/batch.h}. The data is kept transposed, 16 samples
 * beside each other, which is its owner's choice to make.
 */
final class TiledBatch {
  static final int LANES = 16;
  private static final VectorSpecies<Float> V = FloatVector.SPECIES_512;
  private static final int GROUPS = 16; // of 16 samples: a tile whose activations stay in the first-level cache
  private static final int B1 = HIDDEN * INPUTS;
  private static final int W2 = B1 + HIDDEN;
  private static final int B2 = W2 + HIDDEN;

  private final float[] x; // [rows / 16, 10, 16]
  private final float[] y; // [rows]
  private final int rows;
  private final float[] h = new float[GROUPS * HIDDEN * LANES];
  private final float[] d = new float[GROUPS * LANES];
  private final float[] sums = new float[(B2 + 1) * LANES];

  TiledBatch(Problem problem) {
    rows = problem.rows;
    y = problem.y;
    x = new float[rows * INPUTS];
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < INPUTS; i++) {
        x[(r / LANES * INPUTS + i) * LANES + r % LANES] = problem.x[r * INPUTS + i];
      }
    }
  }

  void train(float[] p, int batch, int steps) {
    for (int s = 0, row = 0; s < steps; s++, row = (row + batch) % rows) {
      Arrays.fill(sums, 0);
      for (int first = row; first < row + batch; first += GROUPS * LANES) {
        int groups = Math.min(GROUPS, (row + batch - first) / LANES);
        forward(p, first, groups);
        for (int j = 0; j < HIDDEN; j++) {
          backward(p[W2 + j], j, first, groups);
        }
      }
      float scale = (float) Problem.LEARNING_RATE / batch;
      for (int k = 0; k <= B2; k++) {
        p[k] -= scale * FloatVector.fromArray(V, sums, k * LANES).reduceLanes(ADD);
      }
    }
  }

  void predict(float[] p, float[] answers) {
    for (int r = 0; r < rows; r += LANES) {
      output(p, r, 0).intoArray(answers, r);
    }
  }

  private void forward(float[] p, int first, int groups) {
    FloatVector b2 = at(sums, B2);
    for (int q = 0; q < groups; q++) {
      int r = first + q * LANES;
      FloatVector error = output(p, r, q).sub(FloatVector.fromArray(V, y, r));
      FloatVector twice = error.add(error);
      twice.intoArray(d, q * LANES);
      b2 = b2.add(twice);
    }
    b2.intoArray(sums, B2 * LANES);
  }

  /** The output of 16 samples from row r on; their hidden units go to {@link #h}, as group q. */
  private FloatVector output(float[] p, int r, int q) {
    int from = r * INPUTS;
    FloatVector x0 = FloatVector.fromArray(V, x, from + 0 * LANES);
    FloatVector x1 = FloatVector.fromArray(V, x, from + 1 * LANES);
    FloatVector x2 = FloatVector.fromArray(V, x, from + 2 * LANES);
    FloatVector x3 = FloatVector.fromArray(V, x, from + 3 * LANES);
    FloatVector x4 = FloatVector.fromArray(V, x, from + 4 * LANES);
    FloatVector x5 = FloatVector.fromArray(V, x, from + 5 * LANES);
    FloatVector x6 = FloatVector.fromArray(V, x, from + 6 * LANES);
    FloatVector x7 = FloatVector.fromArray(V, x, from + 7 * LANES);
    FloatVector x8 = FloatVector.fromArray(V, x, from + 8 * LANES);
    FloatVector x9 = FloatVector.fromArray(V, x, from + 9 * LANES);
    FloatVector out = all(p[B2]);
    for (int j = 0; j < HIDDEN; j++) {
      int w = j * INPUTS;
      FloatVector t = all(p[B1 + j]);
      t = x0.fma(all(p[w + 0]), t);
      t = x1.fma(all(p[w + 1]), t);
      t = x2.fma(all(p[w + 2]), t);
      t = x3.fma(all(p[w + 3]), t);
      t = x4.fma(all(p[w + 4]), t);
      t = x5.fma(all(p[w + 5]), t);
      t = x6.fma(all(p[w + 6]), t);
      t = x7.fma(all(p[w + 7]), t);
      t = x8.fma(all(p[w + 8]), t);
      t = x9.fma(all(p[w + 9]), t);
      t.intoArray(h, (q * HIDDEN + j) * LANES);
      out = t.fma(all(p[W2 + j]), out);
    }
    return out;
  }

  /** Adds up the gradient of one hidden unit's twelve parameters, all in registers. */
  private void backward(float weight, int j, int first, int groups) {
    int w = j * INPUTS;
    FloatVector g0 = at(sums, w + 0);
    FloatVector g1 = at(sums, w + 1);
    FloatVector g2 = at(sums, w + 2);
    FloatVector g3 = at(sums, w + 3);
    FloatVector g4 = at(sums, w + 4);
    FloatVector g5 = at(sums, w + 5);
    FloatVector g6 = at(sums, w + 6);
    FloatVector g7 = at(sums, w + 7);
    FloatVector g8 = at(sums, w + 8);
    FloatVector g9 = at(sums, w + 9);
    FloatVector b1 = at(sums, B1 + j);
    FloatVector w2 = at(sums, W2 + j);
    for (int q = 0; q < groups; q++) {
      FloatVector error = at(d, q);
      FloatVector dh = error.mul(all(weight));
      w2 = error.fma(at(h, q * HIDDEN + j), w2);
      b1 = b1.add(dh);
      int from = (first + q * LANES) * INPUTS;
      g0 = dh.fma(FloatVector.fromArray(V, x, from + 0 * LANES), g0);
      g1 = dh.fma(FloatVector.fromArray(V, x, from + 1 * LANES), g1);
      g2 = dh.fma(FloatVector.fromArray(V, x, from + 2 * LANES), g2);
      g3 = dh.fma(FloatVector.fromArray(V, x, from + 3 * LANES), g3);
      g4 = dh.fma(FloatVector.fromArray(V, x, from + 4 * LANES), g4);
      g5 = dh.fma(FloatVector.fromArray(V, x, from + 5 * LANES), g5);
      g6 = dh.fma(FloatVector.fromArray(V, x, from + 6 * LANES), g6);
      g7 = dh.fma(FloatVector.fromArray(V, x, from + 7 * LANES), g7);
      g8 = dh.fma(FloatVector.fromArray(V, x, from + 8 * LANES), g8);
      g9 = dh.fma(FloatVector.fromArray(V, x, from + 9 * LANES), g9);
    }
    g0.intoArray(sums, (w + 0) * LANES);
    g1.intoArray(sums, (w + 1) * LANES);
    g2.intoArray(sums, (w + 2) * LANES);
    g3.intoArray(sums, (w + 3) * LANES);
    g4.intoArray(sums, (w + 4) * LANES);
    g5.intoArray(sums, (w + 5) * LANES);
    g6.intoArray(sums, (w + 6) * LANES);
    g7.intoArray(sums, (w + 7) * LANES);
    g8.intoArray(sums, (w + 8) * LANES);
    g9.intoArray(sums, (w + 9) * LANES);
    b1.intoArray(sums, (B1 + j) * LANES);
    w2.intoArray(sums, (W2 + j) * LANES);
  }

  private static FloatVector at(float[] values, int vector) {
    return FloatVector.fromArray(V, values, vector * LANES);
  }

  private static FloatVector all(float value) {
    return FloatVector.broadcast(V, value);
  }
}
