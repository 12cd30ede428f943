package io.ringstep.internal.rendezvous;

import java.time.Duration;
import java.util.Locale;

/** How messages put things. */
final class Text {
  private static final double MILLIS = 1e3;

  private Text() {}

  /** For example {@code 60 s} or {@code 2.5 s}. */
  static String seconds(Duration duration) {
    return String.format(Locale.ROOT, "%.3f", duration.toMillis() / MILLIS).replaceAll("\\.?0+$", "") + " s";
  }
}
