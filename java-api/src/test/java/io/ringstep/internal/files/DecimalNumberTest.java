package io.ringstep.internal.files;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DecimalNumberTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "-.5",
        "007",
        "16777215",
        "16777216",
        "16777217",
        "33554435",
        "123456789012345678901234567890",
        "0.1",
        "4.8598",
        "0.0000000001",
        "0.00000000001",
        "1e10",
        "1E+5",
        "-2.5e-3",
        "1e-50",
        "3.4028235e38",
        "1e39",
        "-1e999999999",
        "9999999.9999999",
        "1.17549435E-38",
        "1e-45"
      })
  void agreesWithJava(String text) {
    assertEquals(Float.parseFloat(text), parse(text), text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1e5.0",
        "1e5x",
        "--1",
        "+-1",
        "1 2",
        "1,5",
        "1..2",
        "1.2.3",
        "1f",
        "1d",
        "0x1p3",
        "NaN",
        "nan",
        "inf",
        "Infinity",
        "-Infinity",
        "abc",
        "1_000",
        "٣",
        " 1",
        "1 "
      })
  void refusesAllElse(String text) {
    assertEquals(Float.NaN, parse(text), text);
  }

  @Test
  void roundsAsJavaDoes() {
    Random random = new Random(1);
    for (int i = 0; i < 200_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      if (Float.isFinite(value)) {
        String shortest = Float.toString(value);
        assertEquals(value, parse(shortest), shortest);
      }
      String fixed =
          String.format(Locale.ROOT, "%." + random.nextInt(12) + "f", random.nextGaussian());
      assertEquals(Float.parseFloat(fixed), parse(fixed), fixed);
    }
  }

  /** Parsed from the middle of other text, as in a parser's buffer. */
  private static float parse(String text) {
    char[] buffer = ("9" + text + "9").toCharArray();
    return DecimalNumber.parse(buffer, 1, buffer.length - 1);
  }
}
