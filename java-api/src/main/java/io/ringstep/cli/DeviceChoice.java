package io.ringstep.cli;

import io.ringstep.Backends;
import io.ringstep.Backends.Backend;
import io.ringstep.Device;
import java.util.List;

/**
 * The engine that a device's name leads to on this machine.
 *
 * @param name the engine's
 * @param description the line that says what it is and why it was chosen
 */
record DeviceChoice(String name, String description) {
  static DeviceChoice of(Device device) {
    boolean auto = device == Device.auto();
    List<Backend> usable = Backends.report().stream().filter(Backend::available).toList();
    Backend backend =
        usable.stream()
            .filter(candidate -> auto || candidate.name().equals(device.toString()))
            .findFirst()
            .orElseThrow();
    String reason =
        auto && usable.size() == 1 ? ": the only engine of this build that can run here" : "";
    return new DeviceChoice(
        backend.name(), "device " + backend.name() + " (" + backend.detail() + ")" + reason);
  }
}
