package io.ringstep.cli;

import io.ringstep.Backends;
import io.ringstep.Backends.Backend;
import io.ringstep.Backends.Choice;
import io.ringstep.Device;
import io.ringstep.Trainer;
import java.util.List;

/**
 * The device that a run's settings lead to on this machine.
 *
 * @param name the engine's
 * @param description the line that says what it is and why it was chosen
 */
record DeviceChoice(String name, String description) {
  /** Of the trainer that {@code builder} makes. */
  static DeviceChoice of(Trainer.Builder builder) {
    try {
      return of(builder.choice());
    } catch (IllegalArgumentException e) {
      throw new UsageException(e.getMessage());
    }
  }

  /** What was chosen, in words. */
  static DeviceChoice of(Choice choice) {
    Device device = choice.device();
    String name = device.toString().replaceFirst(":.*", "");
    String reason = choice.reason().isEmpty() ? "" : ": " + choice.reason();
    return new DeviceChoice(name, "device " + device + " (" + detail(device) + ")" + reason);
  }

  /** Refuses a device that cannot be used, before anything is read. */
  static void requireUsable(Device device) {
    if (device == Device.auto() || device == Device.cpu()) {
      return;
    }
    Backend cuda = Backends.report().get(1);
    Checks.require(cuda.available(), "device " + device + ": " + cuda.detail() + "; use auto or cpu");
    int count = Backends.cudaDevices().size();
    String[] numbers = device.toString().substring("cuda:".length()).split(",");
    for (String number : numbers) {
      Checks.require(
          Integer.parseInt(number) < count,
          "device " + device + ": there is no cuda:" + number + "; 'ringstep info' lists what there is");
    }
  }

  private static String detail(Device device) {
    List<Backend> backends = Backends.report();
    return backends.get(device == Device.cpu() ? 0 : 1).detail();
  }
}
