package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.Communicator;
import io.ringstep.EnsembleResult;
import io.ringstep.Fit;
import io.ringstep.GroupedDataset;
import io.ringstep.GroupedModels;
import io.ringstep.Model;
import io.ringstep.Network;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;

/** One run of {@code ringstep train --group-by}: a model for each group, trained side by side. */
final class GroupedRun {
  /** Longer tables show only groups with something to say. */
  private static final int LONGEST_TABLE = 100;

  private final TrainCommand options;
  private final Console console;
  private RankSession session;

  GroupedRun(TrainCommand options, Console console) {
    this.options = options;
    this.console = console;
  }

  /** Runs it, as one of several ranks where a launcher has started it; the result is the exit code. */
  int run() throws IOException {
    return RankSession.run(
        options,
        joined -> {
          session = joined;
          return readAndTrain();
        });
  }

  private int readAndTrain() throws IOException {
    options.output.save.forEach(OutputFiles::requireWritable);
    try (GroupedDataset raw = read();
        GroupedDataset data = options.standardize() ? raw.standardized() : raw) {
      Checks.require(
          data.groups() >= session.worldSize(),
          options.data.file + " has " + Text.count(data.groups(), "group") + " by " + data.column() + ", fewer than the "
              + session.worldSize() + " ranks to share them; start fewer ranks");
      return train(data);
    }
  }

  private GroupedDataset read() {
    DataOptions data = options.data;
    int outputs = options.network.network == null ? 1 : options.network.network.outputs();
    return data.targets.isEmpty()
        ? GroupedDataset.read(data.file, data.groupBy, outputs)
        : GroupedDataset.read(data.file, data.groupBy, data.targets);
  }

  private int train(GroupedDataset data) throws IOException {
    Network network = network(data);
    int rank = session.communicator().map(Communicator::rank).orElse(0);
    GroupShares shares = new GroupShares(data, session.worldSize());
    int first = shares.begin(rank);
    say("training " + Text.count(data.groups(), "model") + " of " + Text.sizes(network) + ", one for each "
        + data.column() + " in " + options.data.file + ": " + Text.count(data.rows(), "row") + session.description());
    try (GroupedDataset own = session.worldSize() == 1 ? data : data.part(first, shares.end(rank));
        io.ringstep.Ensemble ensemble = Ensemble.build(builder(network, own, first));
        Interrupts interrupts = new Interrupts(console.err(), session.worldSize() > 1)) {
      EnsembleResult ownResult = fit(ensemble, own, first, interrupts);
      interrupts.trainingEnded();
      double[] ownLosses = ensemble.evaluate(own);
      Optional<Communicator> ranks = session.communicator();
      EnsembleResult result = ranks.map(ownResult::gather).orElse(ownResult);
      double[] losses = ranks.map(all -> Gathering.doubles(all, ownLosses)).orElse(ownLosses);
      List<Model> models = ranks.map(all -> ensemble.gatherModels(all, data)).orElseGet(ensemble::models);
      List<Path> saved = save(data, models);
      if (result.cancelled()) {
        interrupted(result, saved);
        return ExitCode.INTERRUPTED;
      }
      report(data, result, losses);
      return ExitCode.DONE;
    }
  }

  /** Of the groups of {@code data}, which are those from number {@code first} on. */
  private io.ringstep.Ensemble.Builder builder(Network network, GroupedDataset data, int first) {
    io.ringstep.Ensemble.Builder builder =
        io.ringstep.Ensemble.builder(network, data.groups())
            .seed(options.loop.seed + first).optimizer(options.optimizer.optimizer(options.defaults()))
            .device(options.loop.device).expecting((data.rows() + data.groups() - 1) / data.groups(), options.fit(0))
            .l1(options.loss.l1);
    if (options.loss.dropout > 0) {
      builder.dropout(options.loss.dropout, seeds(data, first));
    }
    if (options.loss.clipNorm != null) {
      builder.clipNorm(options.loss.clipNorm);
    }
    if (options.loss.clipValue != null) {
      builder.clipValue(options.loss.clipValue);
    }
    return builder;
  }

  private long[] seeds(GroupedDataset data, int first) {
    return IntStream.range(0, data.groups()).mapToLong(g -> options.loop.seed + first + g).toArray();
  }

  private EnsembleResult fit(io.ringstep.Ensemble ensemble, GroupedDataset data, int first, Interrupts interrupts) {
    Optional<Meeting> meeting = session.communicator().map(Meeting::new);
    try (ProgressDisplay display = ProgressDisplay.of(console, options.output)) {
      Fit fit =
          options.fit(0).onProgress(
              progress -> {
                display.update(progress.steps(), progress.totalSteps(), progress.loss());
                boolean stop = interrupts.requested();
                if (meeting.map(all -> all.stops(stop)).orElse(stop)) {
                  ensemble.cancel();
                }
              });
      EnsembleResult result = options.loop.shuffle ? ensemble.fit(data, fit, seeds(data, first)) : ensemble.fit(data, fit);
      meeting.ifPresent(all -> all.awaitEnd(interrupts::requested));
      return result;
    }
  }

  private void interrupted(EnsembleResult result, List<Path> saved) {
    if (session.leads()) {
      console.err().println(
          "ringstep train: interrupted after " + Text.count(result.steps(), "step") + "; "
              + (saved.isEmpty() ? "nothing saved" : "saved " + TrainingReport.names(saved)));
    }
  }

  private Network network(GroupedDataset data) {
    int[] sizes =
        options.network.network == null ? new int[] {data.inputs(), 20, data.outputs()} : options.network.network.sizes();
    Network network =
        Network.of(sizes).withActivation(
            Objects.requireNonNullElse(options.network.activation, io.ringstep.Activation.IDENTITY));
    Checks.require(
        network.inputs() == data.inputs() && network.outputs() == data.outputs(),
        options.data.file + " has, without " + data.column() + ", " + Text.count(data.inputs(), "input") + " and "
            + Text.count(data.outputs(), "target") + ", but --network " + Text.sizes(network) + " takes "
            + network.inputs() + " and gives " + network.outputs() + "; let them agree");
    return network;
  }

  private List<Path> save(GroupedDataset data, List<Model> models) throws IOException {
    if (!options.output.save.isEmpty()) {
      new GroupedModels(data.column(), data.names(), models).save(options.output.save.get(0));
    }
    return options.output.save;
  }

  private static String status(GroupedDataset data, EnsembleResult result, int g) {
    return result.model(g).divergedAt().isPresent()
        ? "diverged at step " + result.model(g).divergedAt().getAsLong()
        : data.weakness(g).orElse("ok");
  }

  private void report(GroupedDataset data, EnsembleResult result, double[] losses) throws IOException {
    List<String> status = new ArrayList<>();
    for (int g = 0; g < data.groups(); g++) {
      status.add(status(data, result, g));
    }
    int[] shown =
        IntStream.range(0, data.groups())
            .filter(g -> data.groups() <= LONGEST_TABLE || !status.get(g).equals("ok"))
            .limit(LONGEST_TABLE)
            .toArray();
    int width = Math.max(5, Arrays.stream(shown).map(g -> data.names().get(g).length()).max().orElse(0));
    if (shown.length > 0) {
      say(String.format(Locale.ROOT, "%-" + width + "s %10s %14s  %s", "group", "rows", "loss", "status"));
    }
    for (int g : shown) {
      say(
          String.format(
              Locale.ROOT, "%-" + width + "s %10d %14s  %s", data.names().get(g), data.rows(g),
              Text.loss(losses[g]), status.get(g)));
    }
    double seconds = result.duration().toNanos() / 1e9;
    long sound = status.stream().filter("ok"::equals).count();
    say(
        String.format(
            Locale.ROOT, "%s, %d ok, in %.3f s: %,.0f samples/s", Text.count(data.groups(), "group"), sound, seconds,
            result.samples() / seconds));
    if (!options.output.save.isEmpty()) {
      say("saved " + TrainingReport.names(options.output.save));
    }
    if (options.output.json) {
      json(data, result, losses, status, seconds);
    }
  }

  private void json(
      GroupedDataset data, EnsembleResult result, double[] losses, List<String> status, double seconds)
      throws IOException {
    JsonObject line = new JsonObject();
    line.addProperty("steps", result.steps());
    line.addProperty("samples_per_second", result.samples() / seconds);
    line.addProperty("seconds", seconds);
    JsonArray groups = new JsonArray();
    for (int g = 0; g < data.groups(); g++) {
      JsonObject group = new JsonObject();
      group.addProperty("group", data.names().get(g));
      group.addProperty("rows", data.rows(g));
      if (Double.isFinite(losses[g])) {
        group.addProperty("loss", losses[g]);
      }
      group.addProperty("status", status.get(g));
      groups.add(group);
    }
    line.add("groups", groups);
    console.println(line.toString());
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
