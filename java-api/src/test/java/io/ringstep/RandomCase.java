package io.ringstep;

import java.util.Random;

/** A network with parameters and a batch, all drawn from one seed. */
record RandomCase(long seed, Network network, float[] parameters, Rows rows) {
  private static final int MOST_LAYERS = 4;
  // Around what the engine treats differently: vectors of 16, tiles, 2,048 parameters.
  private static final int[] SIZES = {
    1, 1, 2, 3, 7, 10, 13, 15, 16, 17, 20, 31, 32, 33, 37, 48, 61, 64, 65, 67, 70
  };
  // Row path, batch path, one block, several, ragged.
  private static final int[] BATCHES = {
    1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 100, 511, 512, 513, 1000, 4099
  };
  private static final long MOST_WORK = 6_000_000;
  // The float32 sign of a smaller |z| may differ from the float64 one, and relu's gradient with it.
  private static final double LEAST_DISTANCE_FROM_KINK = 1e-5;

  static RandomCase draw(long seed) {
    Random random = new Random(seed);
    Network network = drawNetwork(random);
    float[] parameters = drawParameters(random, network);
    int batch;
    do {
      batch = pick(random, BATCHES);
    } while ((long) batch * network.parameterCount() > MOST_WORK);
    return new RandomCase(seed, network, parameters, drawRows(random, batch, network, parameters));
  }

  private static Network drawNetwork(Random random) {
    int[] sizes = new int[2 + random.nextInt(MOST_LAYERS)];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = pick(random, SIZES);
    }
    Activation[] activations = Activation.values();
    return Network.of(sizes).withActivation(activations[random.nextInt(activations.length)]);
  }

  /** Uniform ±1/√in, as PyTorch. */
  private static float[] drawParameters(Random random, Network network) {
    float[] parameters = new float[network.parameterCount()];
    int[] sizes = network.sizes();
    int next = 0;
    for (int layer = 1; layer < sizes.length; layer++) {
      int count = (sizes[layer - 1] + 1) * sizes[layer];
      for (int i = 0; i < count; i++) {
        parameters[next++] = (float) ((2 * random.nextDouble() - 1) / Math.sqrt(sizes[layer - 1]));
      }
    }
    return parameters;
  }

  private static Rows drawRows(Random random, int batch, Network network, float[] parameters) {
    Float64Reference reference = new Float64Reference(network, parameters);
    boolean kinked = network.activation() == Activation.RELU;
    int width = network.inputs();
    float[] x = new float[batch * width];
    for (int row = 0; row < batch; row++) {
      do {
        System.arraycopy(Rows.normal(random, width), 0, x, row * width, width);
      } while (kinked && reference.nearestKink(x, row) < LEAST_DISTANCE_FROM_KINK);
    }
    return new Rows(x, Rows.normal(random, batch * network.outputs()), width, network.outputs());
  }

  private static int pick(Random random, int[] from) {
    return from[random.nextInt(from.length)];
  }

  @Override
  public String toString() {
    return "network " + network + ", batch " + rows.count()
        + "; to repeat it alone: -D" + GradientTest.SEED + "=" + seed;
  }
}
