package io.ringstep;

import java.util.Locale;

/** Where a {@link Trainer} runs. Immutable. */
public final class Device {
  private static final int ALL = 0;
  private static final Device AUTO = new Device("auto", ALL);
  private static final Device CPU = new Device("cpu", ALL);

  private final String name;
  private final int threads;

  private Device(String name, int threads) {
    this.name = name;
    this.threads = threads;
  }

  /** The device that suits the machine and the work; see {@link Backends#report()}. */
  public static Device auto() {
    return AUTO;
  }

  /** The CPU, with one thread for each processor. */
  public static Device cpu() {
    return CPU;
  }

  /**
   * The CPU with at most {@code threads} threads. Results have the same bits for any number.
   *
   * @param threads at least 1
   */
  public static Device cpu(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, but is " + threads);
    }
    return new Device("cpu", threads);
  }

  /**
   * The device that the command line calls {@code name}.
   *
   * @param name {@code auto} or {@code cpu}
   * @throws IllegalArgumentException if there is no such device, or this build cannot use it
   */
  public static Device parse(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (lower.equals("auto")) {
      return AUTO;
    }
    if (lower.equals("cpu")) {
      return CPU;
    }
    if (lower.matches("cuda(:\\d+(,\\d+)*)?")) {
      throw new IllegalArgumentException(
          "device " + name + ": " + Backends.NO_CUDA + "; use auto or cpu");
    }
    throw new IllegalArgumentException("no device '" + name + "'; use auto or cpu");
  }

  /** Threads that one call may use. */
  int threads() {
    return threads == ALL ? processors() : threads;
  }

  /** Processors that a container's limits leave us, too. */
  static int processors() {
    return Runtime.getRuntime().availableProcessors();
  }

  /** The name that {@link #parse} takes. */
  @Override
  public String toString() {
    return name;
  }
}
