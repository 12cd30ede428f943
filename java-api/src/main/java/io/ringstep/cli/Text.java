package io.ringstep.cli;

import io.ringstep.Network;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Words and numbers as people read them. */
final class Text {
  private Text() {}

  /** For example {@code 1 row}, {@code 442 rows}. */
  static String count(long count, String noun) {
    return count + " " + noun + (count == 1 ? "" : "s");
  }

  /** For example {@code 10,20,1}. */
  static String sizes(Network network) {
    return Arrays.stream(network.sizes()).mapToObj(Integer::toString).collect(Collectors.joining(","));
  }

  /** To the digits that float32 can vouch for. */
  static String loss(double loss) {
    return String.format(Locale.ROOT, "%.8g", loss);
  }
}
