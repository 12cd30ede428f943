package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Activation;
import io.ringstep.Adam;
import io.ringstep.Backends;
import io.ringstep.Backends.Backend;
import io.ringstep.Device;
import io.ringstep.Network;
import io.ringstep.Optimizer;
import io.ringstep.RingstepException;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.internal.CudaLibrary;
import io.ringstep.internal.Native;
import io.ringstep.internal.NcclLibrary;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ringstep info}: versions, devices, and the engines with their reasons. */
@Command(
    name = "info",
    description = "Shows versions, the processor's SIMD level, and every backend with its reason.",
    optionListHeading = "%nOptions:%n")
final class InfoCommand implements Action {
  @Option(names = "--json", description = "Print it as one line of JSON.")
  boolean json;

  @Option(
      names = "--network",
      paramLabel = "SIZES",
      description = "Also show which kernels a step of this network takes on each device, as in 10,20,1.")
  Network network;

  @Option(
      names = "--activation",
      paramLabel = "identity|relu|tanh|sigmoid",
      description = "Function between the layers of --network. Default: identity.")
  Activation activation = Activation.IDENTITY;

  @Override
  public int run(Console console) throws IOException {
    if (json) {
      console.println(line().toString());
      return ExitCode.DONE;
    }
    for (Map.Entry<String, String> fact : facts().entrySet()) {
      console.println(String.format("%-12s %s", fact.getKey(), fact.getValue()));
    }
    for (Backend backend : Backends.report()) {
      String available = backend.available() ? "available: " : "not available: ";
      console.println(String.format("%-12s %s", backend.name(), available + backend.detail()));
    }
    for (Map.Entry<String, String> path : paths().entrySet()) {
      console.println(String.format("%-12s %s", "path", path.getKey() + ": " + path.getValue()));
    }
    return ExitCode.DONE;
  }

  private JsonObject line() {
    JsonObject line = new JsonObject();
    facts().forEach(line::addProperty);
    JsonArray backends = new JsonArray();
    for (Backend backend : Backends.report()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", backend.name());
      entry.addProperty("available", backend.available());
      entry.addProperty("detail", backend.detail());
      backends.add(entry);
    }
    line.add("backends", backends);
    if (network != null) {
      JsonObject paths = new JsonObject();
      paths().forEach(paths::addProperty);
      line.add("paths", paths);
    }
    return line;
  }

  /** For each device and optimizer, what computes a step of several batches. */
  private Map<String, String> paths() {
    Map<String, String> paths = new LinkedHashMap<>();
    if (network == null) {
      return paths;
    }
    Network shown = network.withActivation(activation);
    for (Backend backend : Backends.report()) {
      if (backend.available()) {
        Device device = Device.parse(backend.name());
        paths.put(device + ", plain sgd", batches(shown, new Sgd(0.01), device));
        paths.put(device + ", others", batches(shown, new Adam(0.001), device));
      }
    }
    return paths;
  }

  /** For example {@code small-network at batch 1, batch at batch 64 to 65536}. */
  private static String batches(Network network, Optimizer optimizer, Device device) {
    try (Trainer trainer = Trainer.builder(network).optimizer(optimizer).device(device).build()) {
      Map<String, String> batches = new LinkedHashMap<>();
      for (long batch : new long[] {1, 4, 64, 1024, 65_536}) {
        batches.merge(trainer.path(batch), Long.toString(batch), (some, more) -> some + ", " + more);
      }
      return batches.entrySet().stream()
          .map(entry -> entry.getKey() + " at batch " + entry.getValue())
          .collect(Collectors.joining("; "));
    }
  }

  private static Map<String, String> facts() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("ringstep", Versions.ringstep());
    facts.put("engine", ofEngine(Native::version));
    facts.put("simd", ofEngine(Native::cpuSimd));
    facts.put("javacpp", Versions.javacpp());
    facts.put("mpi", ofEngine(Native::mpiVersion));
    facts.put("nccl", ofEngine(() -> NcclLibrary.unavailable() == null ? NcclLibrary.version() : "not found"));
    facts.put("java", Versions.java());
    facts.put("cuda driver", ofCuda(CudaLibrary::driverVersion));
    facts.put("cuda runtime", ofCuda(CudaLibrary::runtimeVersion));
    facts.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    return facts;
  }

  private static String ofCuda(Supplier<String> fact) {
    return CudaLibrary.unavailable() == null ? fact.get() : "not used";
  }

  /** An engine that cannot be loaded is what {@code info} is most needed for. */
  private static String ofEngine(Supplier<String> fact) {
    try {
      return fact.get();
    } catch (RingstepException e) {
      return "not loaded";
    }
  }
}
