package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Backends;
import io.ringstep.Device;
import io.ringstep.cli.Headlines.Headline;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ringstep bench}: the headline figures on this machine, within a minute. */
@Command(
    name = "bench",
    description = {
      "Measures the headline figures of Linear(10→20→1) on this machine, beside a plain Java loop"
          + " in the same run.",
      "The short form, within a minute. Figures to publish, and those beside hand-written C++ and"
          + " other libraries, come from jmh/run."
    },
    optionListHeading = "%nOptions:%n")
final class BenchCommand implements Action {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  @Option(
      names = "--device",
      paramLabel = "cpu|cuda",
      description = "Measure this device alone. Default: every device that can run here.")
  Device device;

  @Option(names = "--json", description = "Print it as one line of JSON.")
  boolean json;

  @Override
  public int run(Console console) throws IOException {
    if (!json) {
      console.println(machine());
      console.println("median (least - most) of " + Timing.RUNS + " runs each, after a warm-up");
      console.println("");
      console.println(
          String.format("%-6s %-29s %-32s %12s  %s", "device", "", "time", "samples/s", "beside plain Java"));
    }
    Headlines headlines = new Headlines();
    headlines.measurePlainJava();
    List<Headline> figures = new ArrayList<>();
    try {
      for (Device each : devices()) {
        headlines.measure(
            each,
            figure -> {
              figures.add(figure);
              if (!json) {
                print(console, figure);
              }
            });
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    if (json) {
      console.println(line(figures).toString());
    } else {
      console.println("");
      console.println("jmh/run measures with more care, and beside hand-written C++ and other libraries.");
    }
    return ExitCode.DONE;
  }

  private List<Device> devices() {
    if (device != null) {
      return List.of(device);
    }
    return Backends.report().stream()
        .filter(Backends.Backend::available)
        .map(backend -> Device.parse(backend.name()))
        .toList();
  }

  private static void print(Console console, Headline figure) {
    Timing time = figure.timing();
    try {
      console.println(
          String.format(
              Locale.ROOT,
              "%-6s %-29s %-32s %,12.0f  %s",
              figure.device(),
              figure.name(),
              String.format("%s (%s - %s)", text(time.median()), text(time.least()), text(time.most())),
              figure.samples() / time.median() * 1e9,
              beside(figure)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String beside(Headline figure) {
    double beside = figure.beside();
    return beside >= 1
        ? String.format(Locale.ROOT, "%.1fx faster", beside)
        : String.format(Locale.ROOT, "%.1fx slower", 1 / beside);
  }

  private static String text(double nanoseconds) {
    if (nanoseconds < 1e3) {
      return String.format(Locale.ROOT, "%.1f ns", nanoseconds);
    }
    if (nanoseconds < 1e6) {
      return String.format(Locale.ROOT, "%.2f us", nanoseconds / 1e3);
    }
    return String.format(Locale.ROOT, "%.2f ms", nanoseconds / 1e6);
  }

  private static JsonObject line(List<Headline> figures) {
    JsonObject line = new JsonObject();
    line.addProperty("ringstep", Versions.ringstep());
    line.addProperty("java", Versions.java());
    line.addProperty("machine", machine());
    JsonArray array = new JsonArray();
    for (Headline figure : figures) {
      JsonObject entry = new JsonObject();
      entry.addProperty("device", figure.device());
      entry.addProperty("name", figure.name());
      entry.addProperty("samples", figure.samples());
      entry.addProperty("nanoseconds", figure.timing().median());
      entry.addProperty("least", figure.timing().least());
      entry.addProperty("most", figure.timing().most());
      entry.addProperty("runs", Timing.RUNS);
      entry.addProperty("plain_java_nanoseconds", figure.plain().median() * figure.samples());
      entry.addProperty("times_plain_java", figure.beside());
      array.add(entry);
    }
    line.add("figures", array);
    return line;
  }

  private static String machine() {
    StringBuilder machine = new StringBuilder(processor());
    for (Backends.Backend backend : Backends.report()) {
      if (backend.available()) {
        machine.append("; ").append(backend.name()).append(" ").append(backend.detail());
      }
    }
    return machine.append("; Java ").append(Versions.java()).toString();
  }

  /** The processor's name, where the system says it. */
  private static String processor() {
    try {
      return Files.readAllLines(CPU_INFO).stream()
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }
}
