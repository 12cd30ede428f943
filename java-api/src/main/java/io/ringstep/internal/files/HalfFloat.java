package io.ringstep.internal.files;

/** IEEE 754's binary16, which the JDK converts only from version 20 on. */
public final class HalfFloat {
  /** The largest finite value. */
  public static final float MAX_VALUE = 65504;

  private HalfFloat() {}

  /** Exact. */
  public static float toFloat(short bits) {
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    float magnitude;
    if (exponent == 0x1f) {
      magnitude = Float.intBitsToFloat(0x7f800000 | fraction << 13);
    } else if (exponent == 0) {
      magnitude = fraction * 0x1p-24f;
    } else {
      magnitude = Float.intBitsToFloat(exponent + 112 << 23 | fraction << 13);
    }
    return bits < 0 ? -magnitude : magnitude;
  }

  /** Rounded to the nearest, ties to even; beyond the largest value infinite. NaN stays NaN. */
  public static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= 65520) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x1p-14f) {
      // Subnormal: a multiple of 2^-24, to which adding 2^-1 in float32 rounds.
      return (short) (sign | Float.floatToRawIntBits(magnitude + 0.5f) - Float.floatToRawIntBits(0.5f));
    }
    int rebased = Float.floatToRawIntBits(magnitude) - (112 << 23);
    return (short) (sign | rebased + 0xfff + (rebased >>> 13 & 1) >>> 13);
  }
}
