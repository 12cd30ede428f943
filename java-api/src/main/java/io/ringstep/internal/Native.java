package io.ringstep.internal;

import io.ringstep.RingstepException;
import io.ringstep.engine.Engine;
import org.bytedeco.javacpp.Loader;

/** The native engine: loaded once, its status codes turned into exceptions. */
public final class Native {
  private static final Throwable FAILURE = load();

  private Native() {}

  private static Throwable load() {
    try {
      // Deallocators and physical-memory checks are JavaCPP's own net; our handles are closed by hand.
      System.setProperty("org.bytedeco.javacpp.nopointergc", "true");
      Loader.load(Engine.class);
      if (Engine.rs_abi_version() != Engine.RS_ABI_VERSION) {
        return new IllegalStateException(
            "the native library has ABI version " + Engine.rs_abi_version()
                + " but these classes need " + Engine.RS_ABI_VERSION
                + "; use ringstep and ringstep-native of one version");
      }
      return null;
    } catch (LinkageError | RuntimeException e) {
      return e;
    }
  }

  /** Call before anything native. */
  public static void require() {
    if (FAILURE != null) {
      throw new RingstepException(
          "the native engine cannot be loaded on " + Loader.Detector.getPlatform() + " (it is built for linux-x86_64): "
              + reasons(FAILURE),
          FAILURE);
    }
  }

  /** The outer message seldom names the culprit, so all of them are given. */
  private static String reasons(Throwable failure) {
    StringBuilder text = new StringBuilder(String.valueOf(failure.getMessage()));
    for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
      text.append("; ").append(cause.getMessage());
    }
    return text.toString();
  }

  /** Throws what a status other than RS_OK stands for. */
  public static void check(int status) {
    if (status != Engine.RS_OK) {
      throw failure(status);
    }
  }

  private static RuntimeException failure(int status) {
    String reason = Engine.rs_last_error().getString();
    return switch (status) {
      case Engine.RS_INVALID_ARGUMENT -> new IllegalArgumentException(reason);
      default -> new RingstepException(reason);
    };
  }

  /** Version of the native engine. */
  public static String version() {
    require();
    return Engine.rs_version().getString();
  }

  /** Instruction set of the CPU engine. */
  public static String cpuSimd() {
    require();
    return Engine.rs_cpu_simd().getString();
  }

  /** Processors this process may run on. */
  public static int cpuCount() {
    require();
    return Engine.rs_cpu_count();
  }
}
