package io.ringstep.cli;

import io.ringstep.Adam;
import io.ringstep.Backends;
import io.ringstep.Device;
import io.ringstep.Optimizer;
import io.ringstep.Sgd;
import io.ringstep.internal.CudaLibrary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What {@code ringstep smoke} checks on each GPU. */
final class CudaChecks {
  private CudaChecks() {}

  static List<SmokeCheck> all() {
    String reason = CudaLibrary.unavailable();
    if (reason != null) {
      return List.of(
          new SmokeCheck(
              "cuda",
              () -> {
                throw new SmokeCheck.Skip(reason);
              }));
    }
    List<SmokeCheck> checks = new ArrayList<>();
    List<String> devices = Backends.cudaDevices();
    for (int device = 0; device < devices.size(); device++) {
      addDevice(checks, device, devices.get(device));
    }
    return checks;
  }

  private static void addDevice(List<SmokeCheck> checks, int device, String description) {
    String name = "cuda:" + device + ": ";
    checks.add(new SmokeCheck(name + "device", () -> description));
    List<String> kernels = CudaLibrary.checkNames();
    for (int i = 0; i < kernels.size(); i++) {
      int check = i;
      checks.add(new SmokeCheck(name + kernels.get(i), () -> run(check, device)));
    }
    checks.add(new SmokeCheck(name + "training, persistent", () -> train(device, new Sgd(0.05), 16)));
    checks.add(new SmokeCheck(name + "training, fused", () -> train(device, new Adam(0.01), 512)));
  }

  private static String run(int check, int device) {
    CudaLibrary.CheckResult result = CudaLibrary.check(check, device);
    if (result.passed() == null) {
      throw new SmokeCheck.Skip(result.detail());
    }
    SmokeCheck.require(result.passed(), result.detail());
    return result.detail();
  }

  /** Near what the CPU gives for the same seeds, and the same bits again. */
  private static String train(int device, Optimizer optimizer, int batch) {
    float[] actual = CpuChecks.train(Device.cuda(device), optimizer, batch);
    float[] again = CpuChecks.train(Device.cuda(device), optimizer, batch);
    SmokeCheck.require(Arrays.equals(actual, again), "a second run gave other bits");
    float[] cpu = CpuChecks.train(Device.cpu(), optimizer, batch);
    double[] expected = new double[cpu.length];
    Arrays.setAll(expected, i -> cpu[i]);
    double off = CpuChecks.relativeDifference(actual, expected);
    SmokeCheck.require(off <= 1e-4, "parameters off the CPU's by " + off);
    return String.format(Locale.ROOT, "within %.1e of the CPU, twice the same bits", off);
  }
}
