package io.ringstep;

import io.ringstep.internal.CudaLibrary;
import io.ringstep.internal.Native;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The engines of this build, and which of them this machine can use. */
public final class Backends {
  private Backends() {}

  /**
   * One engine.
   *
   * @param name {@code cpu} or {@code cuda}
   * @param available whether a {@link Trainer} can run on it here
   * @param detail what it runs on, or why it cannot
   */
  public record Backend(String name, boolean available, String detail) {}

  /**
   * Where a {@link Trainer} runs; see {@link Trainer.Builder#choice}.
   *
   * @param device the CPU or GPUs, never {@code auto}
   * @param reason why {@link Device#auto()} led there, in a phrase; empty where the device was asked for by name
   */
  public record Choice(Device device, String reason) {}

  /** Every engine, available or not, with the reason. */
  public static List<Backend> report() {
    return List.of(cpu(), cuda());
  }

  /** The GPUs that can be used, in words, in the order of their numbers; empty where there is none. */
  public static List<String> cudaDevices() {
    return IntStream.range(0, cudaDeviceCount()).mapToObj(CudaLibrary::description).toList();
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

  private static Backend cuda() {
    String reason = cudaUnavailable();
    if (reason != null) {
      return new Backend("cuda", false, reason);
    }
    List<String> devices = cudaDevices();
    String all =
        IntStream.range(0, devices.size())
            .mapToObj(i -> "cuda:" + i + " " + devices.get(i))
            .collect(Collectors.joining("; "));
    return new Backend("cuda", true, all);
  }

  private static int cudaDeviceCount() {
    return cudaUnavailable() == null ? CudaLibrary.deviceCount() : 0;
  }

  private static String cudaUnavailable() {
    return CudaLibrary.unavailable();
  }
}
