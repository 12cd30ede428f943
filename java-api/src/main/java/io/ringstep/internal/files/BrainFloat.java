package io.ringstep.internal.files;

/** bfloat16: the upper half of a float32. */
public final class BrainFloat {
  private BrainFloat() {}

  /** Exact. */
  public static float toFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Rounded to the nearest, ties to even; beyond the largest value infinite. NaN stays NaN. */
  public static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }
}
