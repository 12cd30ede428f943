package io.ringstep;

import java.util.Arrays;

/**
 * Forward pass, loss and gradient in float64, one row after the other and as plainly as they can be
 * written: what the engine is measured against.
 */
final class Float64Reference {
  private final int[] sizes;
  private final Activation activation;
  private final int[] weights;
  private final int[] biases;
  private final double[] parameters;

  Float64Reference(Network network, float[] parameters) {
    sizes = network.sizes();
    activation = network.activation();
    weights = new int[sizes.length];
    biases = new int[sizes.length];
    for (int layer = 1; layer < sizes.length; layer++) {
      weights[layer] = network.parameters().get(2 * layer - 2).offset();
      biases[layer] = network.parameters().get(2 * layer - 1).offset();
    }
    this.parameters = new double[parameters.length];
    Arrays.setAll(this.parameters, i -> parameters[i]);
  }

  /** The parameters themselves: changing them changes the network. */
  double[] parameters() {
    return parameters;
  }

  double[] predict(float[] x) {
    double[] y = new double[rows(x) * outputs()];
    for (int row = 0; row < rows(x); row++) {
      System.arraycopy(forward(x, row)[layers()], 0, y, row * outputs(), outputs());
    }
    return y;
  }

  /** Mean over rows and outputs of the squared errors. */
  double loss(float[] x, float[] y) {
    double[] predictions = predict(x);
    double sum = 0;
    for (int i = 0; i < y.length; i++) {
      sum += (predictions[i] - y[i]) * (predictions[i] - y[i]);
    }
    return sum / y.length;
  }

  /** Gradient of {@link #loss}. */
  double[] gradient(float[] x, float[] y) {
    double[] gradient = new double[parameters.length];
    for (int row = 0; row < rows(x); row++) {
      double[][] z = forward(x, row);
      double[] dz = new double[outputs()];
      for (int o = 0; o < dz.length; o++) {
        dz[o] = 2 * (z[layers()][o] - y[row * outputs() + o]) / y.length;
      }
      for (int layer = layers(); layer >= 1; layer--) {
        addLayerGradient(layer, dz, inputsOf(layer, z), gradient);
        dz = layer > 1 ? backward(layer, dz, z[layer - 1]) : null;
      }
    }
    return gradient;
  }

  /** The smallest |z| that an activation is applied to: how near the row comes to relu's kink. */
  double nearestKink(float[] x, int row) {
    double[][] z = forward(x, row);
    return Arrays.stream(z, 1, layers())
        .flatMapToDouble(Arrays::stream)
        .map(Math::abs)
        .min()
        .orElse(Double.POSITIVE_INFINITY);
  }

  /** The inputs, then every layer's sums before its activation. */
  private double[][] forward(float[] x, int row) {
    double[][] z = new double[sizes.length][];
    z[0] = new double[sizes[0]];
    Arrays.setAll(z[0], i -> x[row * sizes[0] + i]);
    for (int layer = 1; layer < sizes.length; layer++) {
      z[layer] = linear(layer, inputsOf(layer, z));
    }
    return z;
  }

  private double[] inputsOf(int layer, double[][] z) {
    return layer == 1 ? z[0] : Arrays.stream(z[layer - 1]).map(this::activate).toArray();
  }

  private double[] linear(int layer, double[] a) {
    double[] z = new double[sizes[layer]];
    for (int j = 0; j < z.length; j++) {
      z[j] = parameters[biases[layer] + j];
      for (int i = 0; i < a.length; i++) {
        z[j] += parameters[weights[layer] + j * a.length + i] * a[i];
      }
    }
    return z;
  }

  private void addLayerGradient(int layer, double[] dz, double[] a, double[] gradient) {
    for (int j = 0; j < dz.length; j++) {
      gradient[biases[layer] + j] += dz[j];
      for (int i = 0; i < a.length; i++) {
        gradient[weights[layer] + j * a.length + i] += dz[j] * a[i];
      }
    }
  }

  private double[] backward(int layer, double[] dz, double[] z) {
    double[] previous = new double[z.length];
    for (int j = 0; j < dz.length; j++) {
      for (int i = 0; i < z.length; i++) {
        previous[i] += dz[j] * parameters[weights[layer] + j * z.length + i];
      }
    }
    Arrays.setAll(previous, i -> previous[i] * slope(z[i]));
    return previous;
  }

  private double activate(double z) {
    return switch (activation) {
      case IDENTITY -> z;
      case RELU -> Math.max(z, 0);
      case TANH -> Math.tanh(z);
      case SIGMOID -> 1 / (1 + Math.exp(-z));
    };
  }

  private double slope(double z) {
    double a = activate(z);
    return switch (activation) {
      case IDENTITY -> 1;
      case RELU -> z > 0 ? 1 : 0;
      case TANH -> 1 - a * a;
      case SIGMOID -> a * (1 - a);
    };
  }

  private int rows(float[] x) {
    return x.length / sizes[0];
  }

  private int layers() {
    return sizes.length - 1;
  }

  private int outputs() {
    return sizes[layers()];
  }
}
