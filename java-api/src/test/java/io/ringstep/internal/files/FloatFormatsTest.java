package io.ringstep.internal.files;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** float16 and bfloat16: every value comes back, and what lies between goes to the nearest. */
class FloatFormatsTest {
  private interface ToFloat {
    float of(short bits);
  }

  private interface FromFloat {
    short of(float value);
  }

  @Test
  void everyHalfComesBack() {
    comesBack(HalfFloat::toFloat, HalfFloat::fromFloat);
  }

  @Test
  void everyBrainFloatComesBack() {
    comesBack(BrainFloat::toFloat, BrainFloat::fromFloat);
  }

  private static void comesBack(ToFloat toFloat, FromFloat fromFloat) {
    for (int bits = 0; bits <= 0xffff; bits++) {
      float value = toFloat.of((short) bits);
      short back = fromFloat.of(value);
      if (Float.isNaN(value)) {
        assertEquals(Float.NaN, toFloat.of(back));
      } else {
        assertEquals((short) bits, back, Float.toString(value));
      }
    }
  }

  @Test
  void halvesRoundToNearestTiesToEven() {
    roundsToNearest(HalfFloat::toFloat, HalfFloat::fromFloat, 0x7bff);
    assertEquals(0x7bff, HalfFloat.fromFloat(Math.nextDown(65520f)));
    assertEquals(0x7c00, HalfFloat.fromFloat(65520f));
  }

  @Test
  void brainFloatsRoundToNearestTiesToEven() {
    roundsToNearest(BrainFloat::toFloat, BrainFloat::fromFloat, 0x7f7f);
    assertEquals(0x7f80, BrainFloat.fromFloat(Float.MAX_VALUE));
  }

  /** Between neighbours: the middle goes to the even one, all else to the nearer. */
  private static void roundsToNearest(ToFloat toFloat, FromFloat fromFloat, int largest) {
    Random random = new Random(3);
    for (int bits = 0; bits < largest; bits++) {
      double low = toFloat.of((short) bits);
      double high = toFloat.of((short) (bits + 1));
      float middle = (float) ((low + high) / 2);
      int even = bits % 2 == 0 ? bits : bits + 1;
      assertEquals(even, fromFloat.of(middle), "the middle of " + low + " and " + high);
      assertEquals(bits, fromFloat.of(Math.nextDown(middle)));
      assertEquals(bits + 1, fromFloat.of(Math.nextUp(middle)));
      float between = (float) (low + (high - low) * random.nextDouble());
      int nearest = Math.abs(between - low) < Math.abs(high - between) ? bits : bits + 1;
      if (between != middle) {
        assertEquals(nearest, fromFloat.of(between));
        assertEquals((short) (nearest | 0x8000), fromFloat.of(-between));
      }
    }
  }
}
