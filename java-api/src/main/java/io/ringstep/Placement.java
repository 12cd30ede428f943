package io.ringstep;

import io.ringstep.internal.CudaLibrary;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * Where work goes: a device that can be used, never {@code auto}.
 *
 * @param device the CPU or GPUs
 * @param reason why {@code auto} chose it; empty where it was asked for by name
 */
record Placement(Device device, String reason) {
  /** A GPU must promise to be so much faster, as its costs are estimates. */
  private static final double MARGIN = 1.5;

  /**
   * Settles where {@code work} goes.
   *
   * @param cpuOnly what it needs that the CPU's engine alone has; null where there is nothing
   * @throws CudaException if a GPU was asked for and cannot be used
   * @throws IllegalArgumentException if a GPU was asked for by name and its engine lacks {@code cpuOnly}
   */
  static Placement of(Device asked, CostModel.Work work, String cpuOnly) {
    return of(asked, work, cpuOnly, CudaLibrary::unavailable);
  }

  /** Asks why no GPU can be used only where it matters. */
  static Placement of(Device asked, CostModel.Work work, String cpuOnly, Supplier<String> unavailable) {
    return of(
        asked,
        cpuOnly == null ? null : "the CUDA engine does not have " + cpuOnly,
        () -> choose(CostModel.cpuSeconds(work, Device.processors()), CostModel.cudaSeconds(work), unavailable));
  }

  /**
   * Settles where an ensemble goes whose models each do {@code work}.
   *
   * @param cpuOnly what of it a GPU's ensembles do not have; null where they have it all
   */
  static Placement of(Device asked, CostModel.Work work, int models, String cpuOnly, Supplier<String> unavailable) {
    return of(
        asked,
        cpuOnly == null ? null : "ensembles on a GPU do not have " + cpuOnly,
        () ->
            choose(
                CostModel.cpuSeconds(work, models, Device.processors()), CostModel.cudaSeconds(work, models),
                unavailable));
  }

  /** @param lack why no GPU will do; null where one will */
  private static Placement of(Device asked, String lack, Supplier<Placement> automatic) {
    Device device = asked == Device.auto() ? Device.automatic() : asked;
    return switch (device.engine()) {
      case CPU -> new Placement(device, "");
      case CUDA -> {
        if (lack != null) {
          throw new IllegalArgumentException("device " + device + ": " + lack + "; use device cpu or auto");
        }
        CudaLibrary.require();
        requireThere(device);
        yield new Placement(device, "");
      }
      case AUTO -> lack == null ? automatic.get() : new Placement(Device.cpu(), lack);
    };
  }

  private static Placement choose(double cpu, double cuda, Supplier<String> unavailable) {
    if (cuda * MARGIN >= cpu) {
      return new Placement(
          Device.cpu(), "the work is too little for a GPU: about " + text(cpu) + " here, " + text(cuda) + " there");
    }
    String reason = unavailable.get();
    if (reason != null) {
      return new Placement(Device.cpu(), "a GPU would suit the work, but: " + reason);
    }
    return new Placement(
        Device.cuda(), "the work suits a GPU: about " + text(cuda) + " there, " + text(cpu) + " on the CPU");
  }

  private static void requireThere(Device device) {
    int count = CudaLibrary.deviceCount();
    for (int ordinal : device.ordinals()) {
      if (ordinal >= count) {
        throw new CudaException(
            "device " + device + ": there is no cuda:" + ordinal + "; this machine has "
                + (count == 1 ? "cuda:0 alone" : "cuda:0 to cuda:" + (count - 1)));
      }
    }
  }

  private static String text(double seconds) {
    return seconds < 1e-3
        ? String.format(Locale.ROOT, "%.0f µs", seconds * 1e6)
        : seconds < 1 ? String.format(Locale.ROOT, "%.0f ms", seconds * 1e3) : String.format(Locale.ROOT, "%.0f s", seconds);
  }
}
