package io.ringstep;

import java.util.function.Supplier;

/** For those who make one thing of several that hold memory. */
final class Closing {
  private Closing() {}

  /** What {@code make} gives; where it throws, {@code close} is called first. */
  static <T> T onFailure(Runnable close, Supplier<T> make) {
    try {
      return make.get();
    } catch (RuntimeException | Error e) {
      close.run();
      throw e;
    }
  }
}
