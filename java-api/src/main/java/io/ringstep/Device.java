package io.ringstep;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Where a {@link Trainer} runs. Immutable. */
public final class Device {
  private static final int ALL = 0;
  private static final Device AUTO = new Device(Engine.AUTO, ALL);
  private static final Device CPU = new Device(Engine.CPU, ALL);

  /** A GPU, and it does not matter which: the first, or each rank's own. */
  private static final Device ANY_GPU = new Device(Engine.CUDA, ALL, 0);

  /** What a device belongs to. */
  enum Engine {
    AUTO,
    CPU,
    CUDA
  }

  private final Engine engine;
  private final int threads;
  private final int[] ordinals;

  private Device(Engine engine, int threads, int... ordinals) {
    this.engine = engine;
    this.threads = threads;
    this.ordinals = ordinals;
  }

  /**
   * The device that suits the machine and the work: see {@link Backends#report()} and {@link Trainer.Builder#expecting}.
   * The environment variable {@code RINGSTEP_DEVICE}, or the system property {@code io.ringstep.device}, may name another
   * device that is then meant by {@code auto}.
   */
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
    return new Device(Engine.CPU, threads);
  }

  /** The first GPU, for a rank as for any other trainer. */
  public static Device cuda() {
    return cuda(0);
  }

  /**
   * GPUs by their numbers, as {@code nvidia-smi} and {@code CUDA_VISIBLE_DEVICES} have them. Whether they are there shows
   * when a {@link Trainer} is built.
   *
   * @param ordinals at least one, from 0 on, no two alike
   */
  public static Device cuda(int... ordinals) {
    if (ordinals.length == 0) {
      throw new IllegalArgumentException("cuda needs the number of at least one GPU");
    }
    if (Arrays.stream(ordinals).anyMatch(ordinal -> ordinal < 0)) {
      throw new IllegalArgumentException("the numbers of GPUs start at 0, but one is negative");
    }
    if (Arrays.stream(ordinals).distinct().count() < ordinals.length) {
      throw new IllegalArgumentException("a GPU is named twice");
    }
    return new Device(Engine.CUDA, ALL, ordinals.clone());
  }

  /**
   * The device that the command line calls {@code name}. Whether it can be used shows when a {@link Trainer} is built.
   *
   * @param name {@code auto}, {@code cpu}, {@code cuda}, {@code cuda:1} or {@code cuda:0,1}
   * @throws IllegalArgumentException if there is no such name
   */
  public static Device parse(String name) {
    String lower = name.strip().toLowerCase(Locale.ROOT);
    if (lower.equals("auto")) {
      return AUTO;
    }
    if (lower.equals("cpu")) {
      return CPU;
    }
    if (lower.equals("cuda")) {
      return ANY_GPU;
    }
    if (lower.matches("cuda:\\d{1,4}(,\\d{1,4})*")) {
      return cuda(Arrays.stream(lower.substring(5).split(",")).mapToInt(Integer::parseInt).toArray());
    }
    throw new IllegalArgumentException("no device '" + name + "'; use auto, cpu, cuda, cuda:N or cuda:0,1");
  }

  /** What {@code auto} was said to mean, or itself. */
  static Device automatic() {
    String name = System.getProperty("io.ringstep.device", System.getenv("RINGSTEP_DEVICE"));
    if (name == null || name.isBlank()) {
      return AUTO;
    }
    try {
      return parse(name);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(e.getMessage() + " (from RINGSTEP_DEVICE or -Dio.ringstep.device)", e);
    }
  }

  /**
   * The one for a rank: of several GPUs in turn; of {@code cuda} without a number, as {@link #parse} takes it, the GPU with
   * the rank's number; of {@link #auto()} that of what it was said to mean. Any other device is itself.
   *
   * @param localRank of this process among those on this host, at least 0
   */
  public Device forRank(int localRank) {
    Device device = this == AUTO ? automatic() : this;
    if (device == ANY_GPU) {
      return cuda(localRank);
    }
    int[] all = device.ordinals;
    return all.length > 1 ? cuda(all[localRank % all.length]) : device;
  }

  /** Whether it is {@code cuda} without a number. */
  public boolean isAnyGpu() {
    return this == ANY_GPU || this == AUTO && automatic() == ANY_GPU;
  }

  /** How many GPUs it names; 0 where it is no GPU, or {@link #auto()}. */
  public int gpus() {
    return ordinals.length;
  }

  Engine engine() {
    return engine;
  }

  /** Numbers of the GPUs. */
  int[] ordinals() {
    return ordinals.clone();
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
    String name = engine.name().toLowerCase(Locale.ROOT);
    return engine != Engine.CUDA
        ? name
        : name + Arrays.stream(ordinals).mapToObj(Integer::toString).collect(Collectors.joining(",", ":", ""));
  }
}
