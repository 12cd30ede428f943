package io.ringstep.internal.files;

/**
 * Parses decimal numbers, and nothing else that {@link Float#parseFloat} takes for a number: no
 * {@code NaN}, {@code 1f} or {@code 0x1p3}.
 */
final class DecimalNumber {
  /** Powers of ten that a float holds exactly. */
  private static final float[] POWERS = {
    1, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f
  };

  private static final int LARGEST_EXACT_INTEGER = 1 << 24;

  private DecimalNumber() {}

  /**
   * The nearest float.
   *
   * @param from the first character
   * @param to the end, exclusive
   * @return NaN if the text is not a decimal number; infinity if it is beyond float32's range
   */
  static float parse(char[] text, int from, int to) {
    int position = from;
    boolean negative = from < to && text[from] == '-';
    if (negative || from < to && text[from] == '+') {
      position++;
    }
    int digits = 0;
    int decimals = 0;
    boolean point = false;
    long integer = 0;
    for (; position < to; position++) {
      char c = text[position];
      if (isDigit(c)) {
        digits++;
        decimals += point ? 1 : 0;
        // Saturates: beyond the exact integers the digits no longer matter here.
        integer =
            integer < LARGEST_EXACT_INTEGER ? integer * 10 + (c - '0') : LARGEST_EXACT_INTEGER;
      } else if (c == '.' && !point) {
        point = true;
      } else {
        break;
      }
    }
    if (digits == 0) {
      return Float.NaN;
    }
    if (position == to && integer < LARGEST_EXACT_INTEGER && decimals < POWERS.length) {
      // Both operands are exact, so this one division rounds correctly.
      float magnitude = integer / POWERS[decimals];
      return negative ? -magnitude : magnitude;
    }
    return position == to || isExponent(text, position, to)
        ? Float.parseFloat(new String(text, from, to - from))
        : Float.NaN;
  }

  private static boolean isExponent(char[] text, int from, int to) {
    int position = from + 1;
    if (text[from] != 'e' && text[from] != 'E') {
      return false;
    }
    if (position < to && (text[position] == '+' || text[position] == '-')) {
      position++;
    }
    boolean hasDigits = position < to;
    while (position < to && isDigit(text[position])) {
      position++;
    }
    return hasDigits && position == to;
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }
}
