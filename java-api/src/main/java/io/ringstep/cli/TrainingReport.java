package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.chart.Chart;
import io.ringstep.chart.Report;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What a training run tells its user: text for people, or JSON for programs, or nothing. */
final class TrainingReport {
  private final TrainCommand options;
  private final Console console;
  private DeviceChoice device;
  private final RankSession session;

  TrainingReport(TrainCommand options, Console console, RankSession session) {
    this.session = session;
    this.options = options;
    this.console = console;
  }

  /** Says what is about to be trained. */
  void begin(TrainingData data, StartingPoint start) throws IOException {
    say(
        "training " + models() + network(start) + ", on " + data(data, start));
    say(
        options.optimizer.describe(options.defaults()) + "; "
            + options.loop.describe(options.defaults())
            + (start.models().isEmpty() ? "" : "; from " + names(options.network.init)));
    device =
        DeviceChoice.of(
            options.loop.device, start.network(), options.optimizer.optimizer(options.defaults()),
            data.rows().rows(), options.loop.fit(options.defaults(), 0));
    say(device.description() + session.description());
  }

  /** Says where it goes on, if it does. */
  void resuming(Optional<Checkpoint> checkpoint) throws IOException {
    if (checkpoint.isPresent()) {
      Checkpoint start = checkpoint.get();
      say("resuming from " + start.file() + ": " + Text.count(start.epoch(), "epoch") + ", "
          + Text.count(start.steps(), "step") + " done");
    } else if (options.checkpoints.resumes()) {
      say("no checkpoint in " + options.checkpoints.directory + " yet: from the beginning");
    }
  }

  /** Says how it went. */
  void end(TrainingData data, TrainingResult result) throws IOException {
    say(speed(result));
    say("mean squared error " + Text.loss(result.loss()) + spread(result) + comparison(data, result));
    if (!options.output.save.isEmpty()) {
      say("saved " + names(options.output.save));
    }
    if (options.output.json) {
      console.println(JsonReport.line(result, device.name(), session.worldSize()));
    }
  }

  /** The same as a page, with charts. */
  Report page(TrainingData data, TrainingResult result, StartingPoint start) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("Network", models() + network(start));
    facts.put("Data", data(data, start));
    facts.put("Optimizer", options.optimizer.describe(options.defaults()));
    facts.put("Training", options.loop.describe(options.defaults()));
    facts.put("Device", device.description());
    facts.put("Done", speed(result));
    facts.put("Mean squared error", Text.loss(result.loss()) + spread(result) + comparison(data, result));
    facts.put("Ringstep", Versions.ringstep());
    List<Chart> charts =
        List.of(
            TrainingCharts.losses(result),
            TrainingCharts.predictions(result.models().get(0).model(), data.rows()));
    return new Report("A training run on " + data.name(), facts, tables(result), charts);
  }

  private static List<Report.Table> tables(TrainingResult result) {
    double[] losses = result.finalLosses();
    if (losses.length == 1) {
      return List.of();
    }
    List<List<String>> rows =
        IntStream.range(0, losses.length)
            .mapToObj(k -> List.of(Integer.toString(k), Text.loss(losses[k])))
            .toList();
    return List.of(new Report.Table("Models", List.of("model", "mean squared error"), rows));
  }

  /** Says that it ended early. */
  void interrupted(TrainingResult result, List<Path> saved) {
    if (!session.leads()) {
      return;
    }
    console.err().println(
        "ringstep train: interrupted after " + Text.count(result.totalSteps(), "step") + "; "
            + (saved.isEmpty() ? "nothing saved" : "saved " + names(saved)));
  }

  static String names(List<Path> files) {
    return files.stream().map(Path::toString).collect(Collectors.joining(", "));
  }

  /** Standard output is the JSON line's alone. */
  private void say(String line) throws IOException {
    if (options.output.quiet) {
      return;
    }
    if (options.output.json) {
      console.err().println(line);
    } else {
      console.println(line);
    }
  }

  private static String network(StartingPoint start) {
    return Text.sizes(start.network()) + (start.sized() ? " (sized to the data), " : ", ")
        + start.network().activation().name().toLowerCase(Locale.ROOT);
  }

  private String data(TrainingData data, StartingPoint start) {
    return data.name() + ": " + Text.count(data.rows().rows(), "row") + ", " + data.widths()
        + standardization(data, start);
  }

  private static String speed(TrainingResult result) {
    return String.format(
        Locale.ROOT, "%s, %s%s in %.3f s: %,.0f samples/s",
        Text.count(result.steps(), "step"), Text.count(result.epochs(), "epoch"),
        result.models().size() > 1 ? " of each model" : "",
        result.seconds(), result.samplesPerSecond());
  }

  private String models() {
    return options.loop.models == 1 ? "" : options.loop.models + " models of ";
  }

  private String standardization(TrainingData data, StartingPoint start) {
    if (data.rows().standardizer().isEmpty()) {
      return "";
    }
    return start.standardizer().isPresent()
        ? ", standardized as " + names(options.network.init) + " says"
        : ", standardized";
  }

  private static String spread(TrainingResult result) {
    double[] losses = result.finalLosses();
    if (losses.length == 1) {
      return "";
    }
    double least = Arrays.stream(losses).min().orElseThrow();
    double most = Arrays.stream(losses).max().orElseThrow();
    return ", the mean of " + Text.loss(least) + " to " + Text.loss(most);
  }

  private static String comparison(TrainingData data, TrainingResult result) {
    OptionalDouble optimum = data.optimum();
    if (optimum.isEmpty()) {
      return "";
    }
    double percent = 100 * (result.loss() / optimum.getAsDouble() - 1);
    // Float32's last digit may fall below; an activation can do better in earnest.
    String side = percent < -0.00005 ? "below" : "above";
    return String.format(
        Locale.ROOT, ", least-squares optimum %s (%.4f %% %s)",
        Text.loss(optimum.getAsDouble()), Math.abs(percent), side);
  }
}
