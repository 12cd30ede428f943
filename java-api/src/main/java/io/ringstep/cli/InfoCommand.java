package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Backends;
import io.ringstep.Backends.Backend;
import io.ringstep.RingstepException;
import io.ringstep.internal.Native;
import io.ringstep.internal.NcclLibrary;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
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

  @Override
  public int run(Console console) throws IOException {
    if (json) {
      console.println(line().toString());
      return ExitCode.DONE;
    }
    for (Map.Entry<String, String> fact : facts().entrySet()) {
      console.println(String.format("%-10s %s", fact.getKey(), fact.getValue()));
    }
    for (Backend backend : Backends.report()) {
      String available = backend.available() ? "available: " : "not available: ";
      console.println(String.format("%-10s %s", backend.name(), available + backend.detail()));
    }
    return ExitCode.DONE;
  }

  private static JsonObject line() {
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
    return line;
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
    facts.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    return facts;
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
