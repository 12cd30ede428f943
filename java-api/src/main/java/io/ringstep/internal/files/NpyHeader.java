package io.ringstep.internal.files;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The header of a {@code .npy} array: a Python dict literal with exactly these three keys.
 *
 * @param descr NumPy's name of the element type, such as {@code <f4}
 * @param fortranOrder whether the first index varies fastest
 * @param shape the length of every dimension
 */
record NpyHeader(String descr, boolean fortranOrder, long[] shape) {
  /** Parses NumPy's literal and nothing more of Python. */
  static NpyHeader parse(String text, Source source) {
    return new Parser(text, source).header();
  }

  /** The literal that NumPy would write. */
  String format() {
    String lengths =
        Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining(", "));
    return "{'descr': '"
        + descr
        + "', 'fortran_order': "
        + (fortranOrder ? "True" : "False")
        + ", 'shape': ("
        + lengths
        + (shape.length == 1 ? "," : "")
        + "), }";
  }

  /** A recursive descent over the dict's fixed structure. */
  private static final class Parser {
    private final String text;
    private final Source source;
    private int position;

    Parser(String text, Source source) {
      this.text = text;
      this.source = source;
    }

    NpyHeader header() {
      String descr = null;
      boolean fortranOrder = false;
      long[] shape = null;
      Set<String> seen = new HashSet<>();
      expect('{');
      while (!accept('}')) {
        String key = string();
        if (!seen.add(key)) {
          throw malformed();
        }
        expect(':');
        switch (key) {
          case "descr" -> descr = descr();
          case "fortran_order" -> fortranOrder = bool();
          case "shape" -> shape = tuple();
          default -> throw malformed();
        }
        if (!accept(',')) {
          expect('}');
          break;
        }
      }
      skipBlanks();
      if (seen.size() < 3 || position < text.length()) {
        throw malformed();
      }
      return new NpyHeader(descr, fortranOrder, shape);
    }

    private String descr() {
      skipBlanks();
      if (text.startsWith("[", position)) {
        throw source.invalid("holds records of several fields; save one plain array of numbers");
      }
      return string();
    }

    private String string() {
      skipBlanks();
      char quote = position < text.length() ? text.charAt(position) : 0;
      int end = quote == '\'' || quote == '"' ? text.indexOf(quote, position + 1) : -1;
      if (end < 0) {
        throw malformed();
      }
      String value = text.substring(position + 1, end);
      position = end + 1;
      return value;
    }

    private boolean bool() {
      skipBlanks();
      for (String word : List.of("True", "False")) {
        if (text.startsWith(word, position)) {
          position += word.length();
          return word.equals("True");
        }
      }
      throw malformed();
    }

    private long[] tuple() {
      List<Long> lengths = new ArrayList<>();
      boolean comma = true;
      expect('(');
      while (!accept(')')) {
        if (!comma) {
          throw malformed();
        }
        lengths.add(integer());
        comma = accept(',');
      }
      // In Python (3) is a number: a tuple of one needs its comma.
      if (lengths.size() == 1 && !comma) {
        throw malformed();
      }
      return lengths.stream().mapToLong(Long::longValue).toArray();
    }

    private long integer() {
      skipBlanks();
      int start = position;
      while (position < text.length() && isDigit(text.charAt(position))) {
        position++;
      }
      try {
        return Long.parseLong(text.substring(start, position));
      } catch (NumberFormatException e) {
        throw source.invalid(
            "has a shape that is not made of whole numbers from 0 to 2^63-1; make the file again");
      }
    }

    private static boolean isDigit(char c) {
      return c >= '0' && c <= '9';
    }

    private void expect(char c) {
      if (!accept(c)) {
        throw malformed();
      }
    }

    private boolean accept(char c) {
      skipBlanks();
      boolean found = position < text.length() && text.charAt(position) == c;
      position += found ? 1 : 0;
      return found;
    }

    private void skipBlanks() {
      while (position < text.length() && " \t\r\n".indexOf(text.charAt(position)) >= 0) {
        position++;
      }
    }

    private RuntimeException malformed() {
      return source.invalid(
          "has a header that is not a dict of 'descr', 'fortran_order' and 'shape'; "
              + "the file is damaged, make or fetch it again");
    }
  }
}
