package io.ringstep.cli;

import io.ringstep.Loss;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** What a training run tells its user: text for people, or JSON for programs, or nothing. */
final class TrainingReport {
  private final TrainCommand options;
  private final Console console;
  private final DeviceChoice device;

  TrainingReport(TrainCommand options, Console console) {
    this.options = options;
    this.console = console;
    this.device = DeviceChoice.of(options.loop.device);
  }

  /** Says what is about to be trained. */
  void begin(TrainingData data, StartingPoint start) throws IOException {
    say(
        "training " + models() + Text.sizes(start.network())
            + (start.sized() ? " (sized to the data), " : ", ")
            + start.network().activation().name().toLowerCase(Locale.ROOT) + ", on " + data.name()
            + ": " + Text.count(data.rows().rows(), "row") + ", " + data.widths()
            + standardization(data, start));
    say(
        options.optimizer.describe(options.defaults()) + options.loss.describe() + options.schedule.describe() + "; "
            + options.loop.describe(options.defaults()) + options.validation.describe()
            + (start.models().isEmpty() ? "" : "; from " + names(options.network.init)));
    say(device.description());
  }

  /** Says how it went. */
  void end(TrainingData data, TrainingResult result) throws IOException {
    say(
        String.format(
            Locale.ROOT, "%s, %s%s in %.3f s: %,.0f samples/s",
            Text.count(result.steps(), "step"), Text.count(result.epochs(), "epoch"),
            result.models().size() > 1 ? " of each model" : "",
            result.seconds(), result.samplesPerSecond()));
    say(
        lossName(result.models().get(0).model().loss()) + " " + Text.loss(result.loss()) + spread(result.finalLosses())
            + comparison(data, result));
    if (result.validationLoss().isPresent()) {
      say(
          "of the validation rows " + Text.loss(result.validationLoss().getAsDouble())
              + spread(result.models().stream().mapToDouble(Trained::validationLoss).toArray()) + ends(result));
    }
    if (!options.output.save.isEmpty()) {
      say("saved " + names(options.output.save));
    }
    if (options.output.json) {
      console.println(JsonReport.line(result, device.name()));
    }
  }

  /** Says that it ended early. */
  void interrupted(TrainingResult result, List<Path> saved) {
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

  private static String lossName(Loss loss) {
    return switch (loss.kind()) {
      case MSE -> "mean squared error";
      case MAE -> "mean absolute error";
      case HUBER -> "mean Huber loss";
      case BCE -> "binary cross-entropy";
      case CROSS_ENTROPY -> "cross-entropy";
    };
  }

  /** Where models were taken from, if not from the last epoch. */
  private static String ends(TrainingResult result) {
    if (result.models().get(0).fit().bestEpoch().isEmpty()) {
      return "";
    }
    String epochs =
        result.models().stream()
            .map(trained -> String.valueOf(trained.fit().bestEpoch().orElseThrow()))
            .collect(Collectors.joining(", "));
    return ", with the weights of " + (result.models().size() == 1 ? "epoch " : "epochs ") + epochs;
  }

  private static String spread(double[] losses) {
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
