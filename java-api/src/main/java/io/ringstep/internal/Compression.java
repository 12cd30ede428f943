package io.ringstep.internal;

import io.ringstep.Encoding;
import io.ringstep.Network;
import io.ringstep.internal.files.BrainFloat;
import io.ringstep.internal.files.HalfFloat;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Parameters rounded to what an encoding can hold, and with their smallest weights left out. */
public final class Compression {
  private static final int MOST = 127;

  /** Scales keep 17 significant bits, so that 127 times a scale is exact, and rounding twice is rounding once. */
  private static final int SCALE_BITS_DROPPED = 24 - 17;

  private Compression() {}

  /**
   * The parameters as a file of this encoding holds them. Rounding them again changes nothing.
   *
   * @throws IllegalArgumentException if one is beyond the encoding's range
   */
  public static float[] round(Network network, float[] parameters, Encoding encoding) {
    float[] rounded = parameters.clone();
    switch (encoding) {
      case FLOAT32 -> {}
      case FLOAT16 -> {
        for (int i = 0; i < rounded.length; i++) {
          rounded[i] = HalfFloat.toFloat(HalfFloat.fromFloat(rounded[i]));
          if (Float.isInfinite(rounded[i])) {
            throw new IllegalArgumentException(
                "parameter " + parameters[i] + " is beyond float16's range of " + HalfFloat.MAX_VALUE
                    + "; use bfloat16");
          }
        }
      }
      case BFLOAT16 -> {
        for (int i = 0; i < rounded.length; i++) {
          rounded[i] = BrainFloat.toFloat(BrainFloat.fromFloat(rounded[i]));
          if (Float.isInfinite(rounded[i])) {
            throw new IllegalArgumentException("parameter " + parameters[i] + " is beyond bfloat16's range");
          }
        }
      }
      case INT8 -> network.parameters().stream().filter(Compression::isWeight).forEach(weight -> roundRows(weight, rounded));
    }
    return rounded;
  }

  private static void roundRows(Network.Parameter weight, float[] parameters) {
    int columns = weight.shape().get(1);
    for (int row = weight.offset(); row < weight.offset() + weight.size(); row += columns) {
      float scale = scale(parameters, row, columns);
      for (int i = row; i < row + columns; i++) {
        parameters[i] = quantize(parameters[i], scale) * scale;
      }
    }
  }

  /** What a row's whole numbers are multiplied with: its largest weight / 127, rounded up to 17 bits. */
  static float scale(float[] parameters, int from, int count) {
    float largest = 0;
    for (int i = from; i < from + count; i++) {
      largest = Math.max(largest, Math.abs(parameters[i]));
    }
    if (largest == 0) {
      return 1;
    }
    int mask = (1 << SCALE_BITS_DROPPED) - 1;
    return Float.intBitsToFloat(Float.floatToIntBits(largest / MOST) + mask & ~mask);
  }

  /** The whole number that stands for a weight. */
  static int quantize(float weight, float scale) {
    return Math.max(-MOST, Math.min(MOST, Math.round(weight / scale)));
  }

  /**
   * The parameters with the smallest of all weights, by size, set to 0; of equals the first go first. Biases
   * stay. As {@code torch.nn.utils.prune.global_unstructured} with {@code L1Unstructured}.
   *
   * @param fraction of the weights, from 0 to 1
   */
  public static float[] prune(Network network, float[] parameters, double fraction) {
    float[] pruned = parameters.clone();
    int[] weights =
        network.parameters().stream()
            .filter(Compression::isWeight)
            .flatMapToInt(weight -> IntStream.range(weight.offset(), weight.offset() + weight.size()))
            .toArray();
    IntStream.of(weights)
        .boxed()
        .sorted(Comparator.comparing(i -> Math.abs(parameters[i])))
        .limit(Math.round(fraction * weights.length))
        .forEach(i -> pruned[i] = 0);
    return pruned;
  }

  static boolean isWeight(Network.Parameter parameter) {
    return parameter.shape().size() == 2;
  }
}
