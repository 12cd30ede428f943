package io.ringstep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * The shape of a fully connected network: Linear layers with one {@link Activation} between them.
 * {@code Network.of(10, 20, 1)} is Linear(10→20→1). Immutable.
 */
public final class Network {
  /** What the engine's offsets within a tile of rows can reach. */
  private static final int MOST_UNITS = 1 << 22;

  private final int[] sizes;
  private final Activation activation;
  private final List<Parameter> parameters;
  private final int parameterCount;

  /**
   * One weight matrix or bias vector within the flat parameter vector.
   *
   * @param name PyTorch's name: {@code fc1.weight}, {@code fc1.bias}, {@code fc2.weight}, …
   * @param shape [out, in] for a weight, [out] for a bias
   * @param offset index of its first element in the flat vector
   */
  public record Parameter(String name, List<Integer> shape, int offset) {
    /** Number of elements. */
    public int size() {
      return shape.stream().reduce(1, Math::multiplyExact);
    }
  }

  private Network(int[] sizes, Activation activation) {
    this.sizes = sizes;
    this.activation = activation;
    List<Parameter> layout = new ArrayList<>();
    long offset = 0;
    for (int layer = 1; layer < sizes.length; layer++) {
      int in = sizes[layer - 1];
      int out = sizes[layer];
      long end = offset + (long) in * out + out;
      if (end > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "network " + text(sizes) + " has more than 2147483647 parameters");
      }
      layout.add(new Parameter("fc" + layer + ".weight", List.of(out, in), (int) offset));
      layout.add(new Parameter("fc" + layer + ".bias", List.of(out), (int) (end - out)));
      offset = end;
    }
    this.parameters = List.copyOf(layout);
    this.parameterCount = (int) offset;
  }

  /**
   * A network without activations.
   *
   * @param sizes the number of inputs, then the width of every Linear layer; at least two, each from
   *     1 to 4194304
   */
  public static Network of(int... sizes) {
    if (sizes.length < 2) {
      throw new IllegalArgumentException(
          "a network needs at least two sizes, inputs and outputs, but got " + text(sizes));
    }
    for (int size : sizes) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "network " + text(sizes) + ": every size must be at least 1");
      }
      if (size > MOST_UNITS) {
        throw new IllegalArgumentException(
            "network " + text(sizes) + ": every size must be at most " + MOST_UNITS);
      }
    }
    return new Network(sizes.clone(), Activation.IDENTITY);
  }

  /** The same layers with {@code activation} between them. */
  public Network withActivation(Activation activation) {
    return new Network(sizes, Objects.requireNonNull(activation, "activation"));
  }

  /** The number of inputs, then the width of every layer. */
  public int[] sizes() {
    return sizes.clone();
  }

  /** The function between the layers. */
  public Activation activation() {
    return activation;
  }

  /** Width of a row of x. */
  public int inputs() {
    return sizes[0];
  }

  /** Width of a row of y. */
  public int outputs() {
    return sizes[sizes.length - 1];
  }

  /** Number of weights and biases, the length of the flat parameter vector. */
  public int parameterCount() {
    return parameterCount;
  }

  /** The layout of the flat parameter vector, in order. */
  public List<Parameter> parameters() {
    return parameters;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Network network
        && Arrays.equals(sizes, network.sizes)
        && activation == network.activation;
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(sizes) + activation.hashCode();
  }

  /** For example {@code 10,20,1 relu}. */
  @Override
  public String toString() {
    return text(sizes) + " " + activation.name().toLowerCase(Locale.ROOT);
  }

  private static String text(int[] sizes) {
    return Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining(","));
  }
}
