package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

/** Compares floats bit by bit: no tolerance, and 0 is not -0. */
final class Bits {
  private Bits() {}

  static void assertSame(float[] expected, float[] actual, String message) {
    assertArrayEquals(bits(expected), bits(actual), message);
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }
}
