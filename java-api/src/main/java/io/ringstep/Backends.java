package io.ringstep;

import io.ringstep.internal.Native;
import java.util.List;

/** The engines of this build, and which of them this machine can use. */
public final class Backends {
  static final String NO_CUDA = "this build has no CUDA engine";

  private Backends() {}

  /**
   * One engine.
   *
   * @param name {@code cpu} or {@code cuda}
   * @param available whether a {@link Trainer} can run on it here
   * @param detail what it runs on, or why it cannot
   */
  public record Backend(String name, boolean available, String detail) {}

  /** Every engine, available or not, with the reason. */
  public static List<Backend> report() {
    return List.of(cpu(), new Backend("cuda", false, NO_CUDA));
  }

  private static Backend cpu() {
    try {
      int processors = Device.processors();
      String detail =
          Native.cpuSimd() + ", " + processors + (processors == 1 ? " processor" : " processors");
      return new Backend("cpu", true, detail);
    } catch (RingstepException e) {
      return new Backend("cpu", false, e.getMessage());
    }
  }
}
