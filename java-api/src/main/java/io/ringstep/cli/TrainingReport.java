package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Device;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.chart.Chart;
import io.ringstep.chart.Report;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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
  /** Of more models the first and the last of their epochs are named alone. */
  private static final int NAMED_EPOCHS = 12;

  private final TrainCommand options;
  private final Console console;
  private final RankSession session;
  private DeviceChoice device;

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
        optimizing() + "; " + looping()
            + (start.models().isEmpty() ? "" : "; from " + names(options.network.init)));
    boolean together = Ensemble.trainsTogether(options, start, data, session.communicator());
    device =
        together
            ? DeviceChoice.of(Ensemble.builder(options, start, 0, options.models(), data.partition(0), session.communicator()).choice())
            : DeviceChoice.of(start.trainer(options, 0, data.partition(0).training()));
    int gpus = together ? 0 : options.loop.device.gpus();
    String others = gpus > 1 ? ", and " + Text.count(gpus - 1, "GPU") + " more, a thread each" : "";
    say(device.description() + others + session.description());
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
    say(lossName(result) + " " + loss(data, result));
    if (result.validationLoss().isPresent()) {
      say("of the validation rows " + validation(result));
    }
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
    facts.put("Optimizer", optimizing());
    facts.put("Training", looping());
    facts.put("Device", device.description());
    facts.put("Done", speed(result));
    facts.put("Loss", lossName(result) + " " + loss(data, result));
    if (result.validationLoss().isPresent()) {
      facts.put("Of the validation rows", validation(result));
    }
    facts.put("Ringstep", Versions.ringstep());
    List<Chart> charts = new ArrayList<>(List.of(TrainingCharts.losses(result, lossName(result))));
    Model first = result.models().get(0).model();
    if (!first.loss().isClassifier()) {
      charts.add(TrainingCharts.predictions(first, data.partition(0).training()));
    }
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
    return List.of(new Report.Table("Models", List.of("model", lossName(result)), rows));
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

  private String optimizing() {
    return options.optimizer.describe(options.defaults()) + options.loss.describe() + options.schedule.describe();
  }

  private String looping() {
    return options.loop.describe(options.defaults()) + options.validation.describe();
  }

  private static String loss(TrainingData data, TrainingResult result) {
    return Text.loss(result.loss()) + spread(result.finalLosses()) + comparison(data, result);
  }

  private static String validation(TrainingResult result) {
    return Text.loss(result.validationLoss().orElseThrow())
        + spread(result.models().stream().mapToDouble(Trained::validationLoss).toArray()) + ends(result);
  }

  private static String speed(TrainingResult result) {
    return String.format(
        Locale.ROOT, "%s in %.3f s: %,.0f samples/s", work(result), result.seconds(), result.samplesPerSecond());
  }

  private String models() {
    return options.models() == 1 ? "" : options.models() + " models of ";
  }

  private String standardization(TrainingData data, StartingPoint start) {
    if (data.partition(0).training().standardizer().isEmpty()) {
      return "";
    }
    return start.standardizer().isPresent()
        ? ", standardized as " + names(options.network.init) + " says"
        : ", standardized";
  }

  /** What {@code train} makes small, in words. */
  static String lossName(TrainingResult result) {
    return switch (result.models().get(0).model().loss().kind()) {
      case MSE -> "mean squared error";
      case MAE -> "mean absolute error";
      case HUBER -> "mean Huber loss";
      case BCE -> "binary cross-entropy";
      case CROSS_ENTROPY -> "cross-entropy";
    };
  }

  /** Models may stop at different epochs. */
  private static String work(TrainingResult result) {
    boolean alike = result.models().stream().allMatch(trained -> trained.fit().steps() == result.steps());
    if (!alike) {
      return Text.count(result.totalSteps(), "step") + " of all models";
    }
    return Text.count(result.steps(), "step") + ", " + Text.count(result.epochs(), "epoch")
        + (result.models().size() > 1 ? " of each model" : "");
  }

  /** Where models were taken from, if not from the last epoch. */
  private static String ends(TrainingResult result) {
    if (result.models().get(0).fit().bestEpoch().isEmpty()) {
      return "";
    }
    int[] epochs = result.models().stream().flatMapToInt(trained -> trained.fit().bestEpoch().stream()).toArray();
    if (Arrays.stream(epochs).distinct().count() == 1) {
      return ", with the weights of epoch " + epochs[0];
    }
    String named =
        epochs.length > NAMED_EPOCHS
            ? Arrays.stream(epochs).min().orElseThrow() + " to " + Arrays.stream(epochs).max().orElseThrow()
            : Arrays.stream(epochs).mapToObj(Integer::toString).collect(Collectors.joining(", "));
    return ", with the weights of epochs " + named;
  }

  private static String spread(double[] losses) {
    double least = Arrays.stream(losses).min().orElseThrow();
    double most = Arrays.stream(losses).max().orElseThrow();
    return least == most ? "" : ", the mean of " + Text.loss(least) + " to " + Text.loss(most);
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
