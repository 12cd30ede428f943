package io.ringstep.internal.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ElementTypeTest {
  @ParameterizedTest
  @CsvSource({
    "0x0000, 0", "0x8000, -0.0", "0x0001, 5.9604645E-8", "0x03ff, 6.097555E-5",
        "0x0400, 6.1035156E-5",
    "0x3c00, 1", "0xc000, -2", "0x3555, 0.33325195", "0x7bff, 65504", "0x7c00, Infinity",
    "0xfc00, -Infinity", "0x7e00, NaN"
  })
  void convertsHalves(int bits, float expected) {
    assertEquals(expected, ElementType.F16.next(ByteBuffer.allocate(2).putShort(0, (short) bits)));
  }

  @ParameterizedTest
  @CsvSource({"0x3f80, 1", "0xc040, -3", "0x7f80, Infinity", "0x0001, 9.1835E-41", "0x7fc0, NaN"})
  void convertsBfloat16(int bits, float expected) {
    assertEquals(expected, ElementType.BF16.next(ByteBuffer.allocate(2).putShort(0, (short) bits)));
  }

  @ParameterizedTest
  @CsvSource({
    "I8, -1",
    "U8, 255",
    "I16, -1",
    "U16, 65535",
    "I32, -1",
    "U32, 4294967295",
    "I64, -1",
    "U64, 18446744073709551615",
    "BOOL, 1"
  })
  void convertsIntegers(ElementType type, float expected) {
    assertEquals(expected, type.next(ByteBuffer.allocate(8).putLong(0, -1)));
  }

  /** 2^63 + 2^39 lies halfway between two floats; one more must round up. */
  @Test
  void roundsUnsignedOnce() {
    long halfway = (1L << 63) + (1L << 39);
    assertEquals(0x1p63f, ElementType.U64.next(ByteBuffer.allocate(8).putLong(0, halfway)));
    assertEquals(
        Math.nextUp(0x1p63f), ElementType.U64.next(ByteBuffer.allocate(8).putLong(0, halfway + 1)));
  }

  @Test
  void refusesDoublesThatWouldBecomeInfinite() {
    assertThrows(
        ArithmeticException.class,
        () -> ElementType.F64.next(ByteBuffer.allocate(8).putDouble(0, 3.5e38)));
    assertEquals(
        Float.POSITIVE_INFINITY,
        ElementType.F64.next(ByteBuffer.allocate(8).putDouble(0, Double.POSITIVE_INFINITY)));
    assertEquals(0, ElementType.F64.next(ByteBuffer.allocate(8).putDouble(0, 1e-300)));
  }
}
