package io.ringstep;

import java.util.Random;

/** Rows of inputs and targets. */
record Rows(float[] x, float[] y, int inputs, int outputs) {
  /** Normally distributed numbers, the same for the same seed. */
  static Rows random(long seed, int rows, Network network) {
    Random random = new Random(seed);
    return new Rows(
        normal(random, rows * network.inputs()),
        normal(random, rows * network.outputs()),
        network.inputs(),
        network.outputs());
  }

  static Rows of(Dataset data) {
    return data.read(
        (x, y) -> {
          float[] ownX = new float[x.remaining()];
          float[] ownY = new float[y.remaining()];
          x.get(ownX);
          y.get(ownY);
          return new Rows(ownX, ownY, data.inputs(), data.outputs());
        });
  }

  static float[] normal(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  int count() {
    return x.length / inputs;
  }

  /** These of the rows, in this order. */
  Rows pick(int... rows) {
    return new Rows(gather(x, inputs, rows), gather(y, outputs, rows), inputs, outputs);
  }

  Dataset dataset() {
    return Dataset.of(x, y, inputs, outputs);
  }

  private static float[] gather(float[] values, int width, int[] rows) {
    float[] gathered = new float[rows.length * width];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(values, rows[i] * width, gathered, i * width, width);
    }
    return gathered;
  }
}
