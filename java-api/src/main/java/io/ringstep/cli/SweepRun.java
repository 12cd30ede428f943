package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Activation;
import io.ringstep.Dataset;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.RingstepException;
import io.ringstep.SearchSpace;
import io.ringstep.SearchSpace.Setting;
import io.ringstep.Sweep;
import io.ringstep.SweepResult;
import io.ringstep.SweepResult.Trial;
import io.ringstep.chart.Chart;
import io.ringstep.chart.Chart.Axis;
import io.ringstep.chart.Chart.Series;
import io.ringstep.chart.Chart.Style;
import io.ringstep.chart.Report;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One run of {@code ringstep sweep}: reads, searches, ranks, trains the best once more, reports. */
final class SweepRun {
  private static final List<String> HEADER =
      List.of("rank", "validation", "spread", "epochs", "round", "network", "lr", "momentum", "weight decay", "seed");
  private static final int REPORTED = 50;

  private final SweepCommand options;
  private final Console console;

  SweepRun(SweepCommand options, Console console) {
    this.options = options;
    this.console = console;
  }

  int run() throws IOException {
    try (Dataset data = read()) {
      Sweep sweep =
          Sweep.over(space(data))
              .trials(options.search.trials)
              .folds(options.search.folds)
              .epochs(options.search.epochs)
              .batch(options.search.batch)
              .seed(options.search.seed)
              .standardized(!options.raw);
      Checks.require(
          data.rows() >= options.search.folds,
          "--folds " + options.search.folds + " needs as many rows, but " + name() + " has " + data.rows());
      say("searching on " + name() + ": " + Text.count(data.rows(), "row") + ", " + Text.count(data.inputs(), "input")
          + " and " + Text.count(data.outputs(), "target"));
      say("at most " + Text.count(options.search.trials, "setting") + " of " + sweep);
      return search(sweep, data);
    }
  }

  private int search(Sweep sweep, Dataset data) throws IOException {
    try (Interrupts interrupts = new Interrupts(console.err(), false)) {
      SweepResult result;
      try (ProgressDisplay display = ProgressDisplay.of(console, options.output.json, options.output.quiet)) {
        result =
            sweep
                .until(interrupts::requested)
                .onProgress(progress -> display.update(progress.steps(), progress.totalSteps(), progress.loss()))
                .run(data);
      }
      interrupts.trainingEnded();
      if (result.trials().isEmpty()) {
        console.err().println("ringstep sweep: interrupted before any setting was judged; nothing saved");
        return ExitCode.INTERRUPTED;
      }
      if (!Double.isFinite(result.best().loss())) {
        throw new RingstepException("all settings diverged; search smaller learning rates");
      }
      report(result, data);
      return result.cancelled() ? ExitCode.INTERRUPTED : ExitCode.DONE;
    }
  }

  private void report(SweepResult result, Dataset data) throws IOException {
    List<Trial> trials = result.trials();
    table(trials.stream().limit(options.output.top).toList());
    say(summary(result));
    if (result.cancelled()) {
      console.err().println("ringstep sweep: interrupted; what was found by then is above");
    }
    if (options.output.save != null) {
      Model model = result.refit(data);
      model.save(options.output.save);
      say("saved " + options.output.save + ": the best setting, trained on all rows for "
          + Text.count(result.best().epochs(), "epoch"));
    }
    if (options.output.plot != null) {
      ChartFiles.write(map(trials), options.output.plot);
    }
    if (options.output.report != null) {
      ChartFiles.write(page(result), options.output.report);
    }
    if (options.output.json) {
      console.println(json(result).toString());
    }
  }

  private Dataset read() throws IOException {
    if (options.file == null) {
      return DiabetesExample.read(options.targets, Math.max(1, options.targets.size()));
    }
    return options.targets.isEmpty() ? Dataset.read(options.file, 1) : Dataset.read(options.file, options.targets);
  }

  private String name() {
    return options.file == null ? DiabetesExample.NAME : options.file.toString();
  }

  private SearchSpace space(Dataset data) {
    Network[] networks =
        options.space.hidden.stream()
            .map(hidden -> network(hidden, data))
            .flatMap(network -> activations(network).map(network::withActivation))
            .distinct()
            .toArray(Network[]::new);
    return SearchSpace.of(networks)
        .learningRates(options.space.learningRates)
        .momenta(options.space.momenta)
        .weightDecays(options.space.weightDecays)
        .seeds(options.space.seeds);
  }

  /** Without hidden layers there is no place for an activation. */
  private Stream<Activation> activations(Network network) {
    return network.sizes().length == 2 ? Stream.of(Activation.IDENTITY) : options.space.activations.stream();
  }

  private static Network network(String hidden, Dataset data) {
    try {
      int[] widths =
          hidden.strip().equals("0")
              ? new int[0]
              : Arrays.stream(hidden.strip().split("x", -1)).mapToInt(Integer::parseInt).toArray();
      return Network.of(
          IntStream.concat(
                  IntStream.concat(IntStream.of(data.inputs()), Arrays.stream(widths)), IntStream.of(data.outputs()))
              .toArray());
    } catch (NumberFormatException e) {
      throw new UsageException("--hidden " + hidden + ": give widths, as 20 or 32x8, or 0 for none", e);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--hidden " + hidden + ": " + e.getMessage(), e);
    }
  }

  private static String summary(SweepResult result) {
    long early = result.trials().stream().filter(trial -> trial.round() < 3).count();
    long diverged = result.trials().stream().filter(trial -> !Double.isFinite(trial.loss())).count();
    double seconds = result.duration().toNanos() / 1e9;
    return String.format(
        Locale.ROOT, "tried %s, %,d stopped early, %,d diverged; %,d steps in %.3f s",
        Text.count(result.trials().size(), "setting"), early, diverged, result.steps(), seconds);
  }

  private void table(List<Trial> trials) throws IOException {
    List<List<String>> rows = new ArrayList<>(List.of(HEADER));
    rows.addAll(rows(trials));
    int[] widths =
        IntStream.range(0, HEADER.size())
            .map(column -> rows.stream().mapToInt(row -> row.get(column).length()).max().orElseThrow())
            .toArray();
    for (List<String> row : rows) {
      say(
          IntStream.range(0, row.size())
              .mapToObj(column -> String.format("%" + widths[column] + "s", row.get(column)))
              .collect(Collectors.joining("  ")));
    }
  }

  private static List<List<String>> rows(List<Trial> trials) {
    return IntStream.range(0, trials.size()).mapToObj(rank -> row(rank + 1, trials.get(rank))).toList();
  }

  private static List<String> row(int rank, Trial trial) {
    Setting setting = trial.setting();
    return List.of(
        Integer.toString(rank),
        Text.loss(trial.loss()),
        String.format(Locale.ROOT, "%.3g", spread(trial)),
        Integer.toString(trial.epochs()),
        Integer.toString(trial.round()),
        Text.sizes(setting.network()) + " " + setting.network().activation().name().toLowerCase(Locale.ROOT),
        number(setting.learningRate()),
        number(setting.momentum()),
        number(setting.weightDecay()),
        Long.toString(setting.seed()));
  }

  private static String number(double value) {
    return value == 0 ? "0" : String.format(Locale.ROOT, "%.4g", value);
  }

  /** The standard deviation over the folds. */
  private static double spread(Trial trial) {
    double[] losses = trial.foldLosses();
    double mean = trial.loss();
    return Math.sqrt(Arrays.stream(losses).map(loss -> (loss - mean) * (loss - mean)).average().orElse(0));
  }

  /** Every setting by its learning rate, a series a network; those far off would hide the rest, and are left out. */
  private static Chart map(List<Trial> trials) {
    double most = 4 * trials.get(0).loss();
    Map<Network, List<Trial>> byNetwork =
        trials.stream()
            .filter(trial -> trial.loss() <= most)
            .collect(Collectors.groupingBy(trial -> trial.setting().network(), LinkedHashMap::new, Collectors.toList()));
    List<Series> series =
        byNetwork.entrySet().stream()
            .map(
                entry ->
                    new Series(
                        entry.getKey().toString(),
                        Style.POINTS,
                        entry.getValue().stream().mapToDouble(trial -> trial.setting().learningRate()).toArray(),
                        entry.getValue().stream().mapToDouble(Trial::loss).toArray()))
            .toList();
    boolean logarithmic = trials.stream().allMatch(trial -> trial.setting().learningRate() > 0);
    return new Chart(
        "Validation loss of every setting",
        new Axis("learning rate", logarithmic),
        TrainingCharts.axis("mean squared error, mean of the folds", series),
        series);
  }

  private Report page(SweepResult result) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("Data", name());
    facts.put("Search", "at most " + Text.count(options.search.trials, "setting"));
    facts.put("Result", summary(result));
    facts.put("Ringstep", Versions.ringstep());
    List<List<String>> rows = rows(result.trials().stream().limit(REPORTED).toList());
    return new Report(
        "A search for settings on " + name(), facts, List.of(new Report.Table("The best", HEADER, rows)),
        List.of(map(result.trials())));
  }

  private JsonObject json(SweepResult result) {
    JsonObject line = new JsonObject();
    line.addProperty("tried", result.trials().size());
    line.addProperty("steps", result.steps());
    line.addProperty("seconds", result.duration().toNanos() / 1e9);
    line.add("best", json(result.best()));
    JsonArray trials = new JsonArray();
    result.trials().stream().limit(options.output.top).map(SweepRun::json).forEach(trials::add);
    line.add("trials", trials);
    return line;
  }

  private static JsonObject json(Trial trial) {
    Setting setting = trial.setting();
    JsonObject json = new JsonObject();
    OptionalDouble loss = Double.isFinite(trial.loss()) ? OptionalDouble.of(trial.loss()) : OptionalDouble.empty();
    loss.ifPresent(value -> json.addProperty("loss", value));
    JsonArray folds = new JsonArray();
    Arrays.stream(trial.foldLosses()).filter(Double::isFinite).forEach(folds::add);
    json.add("fold_losses", folds);
    json.addProperty("epochs", trial.epochs());
    json.addProperty("round", trial.round());
    json.addProperty("network", Text.sizes(setting.network()));
    json.addProperty("activation", setting.network().activation().name().toLowerCase(Locale.ROOT));
    json.addProperty("lr", setting.learningRate());
    json.addProperty("momentum", setting.momentum());
    json.addProperty("weight_decay", setting.weightDecay());
    json.addProperty("seed", setting.seed());
    return json;
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
}
