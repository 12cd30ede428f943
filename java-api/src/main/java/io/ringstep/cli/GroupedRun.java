package io.ringstep.cli;

import io.ringstep.Communicator;
import io.ringstep.EnsembleResult;
import io.ringstep.Fit;
import io.ringstep.GroupedDataset;
import io.ringstep.GroupedModels;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.Network;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** One run of {@code ringstep train --group-by}: a model for each group, trained side by side. */
final class GroupedRun {
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
    try (GroupedData data = GroupedData.read(options)) {
      GroupedDataset rows = data.training();
      Checks.require(
          rows.groups() >= session.worldSize(),
          options.data.file + " has " + Text.count(rows.groups(), "group") + " by " + rows.column() + ", fewer than the "
              + session.worldSize() + " ranks to share them; start fewer ranks");
      return train(data);
    }
  }

  private int train(GroupedData data) throws IOException {
    GroupedDataset rows = data.training();
    Network network = network(rows);
    int rank = session.communicator().map(Communicator::rank).orElse(0);
    GroupShares shares = new GroupShares(rows, session.worldSize());
    int first = shares.begin(rank);
    say("training " + Text.count(rows.groups(), "model") + " of " + Text.sizes(network) + ", one for each "
        + rows.column() + " in " + options.data.file + ": " + Text.count(rowsOfFile(data), "row")
        + options.validation.describe() + session.description());
    try (GroupedData own = session.worldSize() == 1 ? data : data.part(first, shares.end(rank));
        io.ringstep.Ensemble ensemble = Ensemble.build(builder(network, own, first));
        Interrupts interrupts = new Interrupts(console.err(), session.worldSize() > 1)) {
      EnsembleResult ownResult = fit(ensemble, own, first, interrupts);
      interrupts.trainingEnded();
      Optional<Communicator> ranks = session.communicator();
      EnsembleResult result = ranks.map(ownResult::gather).orElse(ownResult);
      double[] losses = losses(ensemble, own.training());
      double[] validationLosses = own.validation() == null ? null : losses(ensemble, own.validation());
      List<Model> models = ranks.map(all -> ensemble.gatherModels(all, rows)).orElseGet(ensemble::models);
      List<Path> saved = save(rows, models);
      if (result.cancelled()) {
        interrupted(result, saved);
        return ExitCode.INTERRUPTED;
      }
      report(new GroupedReport(data, result, losses, validationLosses));
      return ExitCode.DONE;
    }
  }

  /** To train on, and where they are taken from these, to validate with. */
  private long rowsOfFile(GroupedData data) {
    return data.training().rows() + (options.validation.split == null ? 0 : data.validation().rows());
  }

  /** Of the models of all ranks, each over its group's rows. */
  private double[] losses(io.ringstep.Ensemble ensemble, GroupedDataset rows) {
    double[] own = ensemble.evaluate(rows);
    return session.communicator().map(all -> Gathering.doubles(all, own)).orElse(own);
  }

  /** Of the groups of {@code data}, which are those from number {@code first} on. */
  private io.ringstep.Ensemble.Builder builder(Network network, GroupedData data, int first) {
    int groups = data.training().groups();
    io.ringstep.Ensemble.Builder builder =
        io.ringstep.Ensemble.builder(network, groups)
            .seed(options.loop.seed + first).optimizer(options.optimizer.optimizer(options.defaults()))
            .device(options.loop.device).expecting(1 + (data.training().rows() - 1) / groups, options.fit(0))
            .loss(options.loss.loss(Loss.MSE));
    options.loss.shape(builder, Ensemble.seeds(options, first, first + groups));
    return builder;
  }

  private EnsembleResult fit(io.ringstep.Ensemble ensemble, GroupedData data, int first, Interrupts interrupts) {
    Optional<Meeting> meeting = session.communicator().map(Meeting::new);
    try (ProgressDisplay display = ProgressDisplay.of(console, options.output)) {
      Fit fit =
          options.validation.applyTo(options.fit(0)).onProgress(
              progress -> {
                display.update(progress.steps(), progress.totalSteps(), progress.loss());
                boolean stop = interrupts.requested();
                if (meeting.map(all -> all.stops(stop)).orElse(stop)) {
                  ensemble.cancel();
                }
              });
      EnsembleResult result = data.fit(ensemble, fit, options.loop.shuffle ? Ensemble.seeds(options, first, first + ensemble.size()) : null);
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

  private void report(GroupedReport report) throws IOException {
    for (String line : report.table()) {
      say(line);
    }
    say(report.summary());
    if (!options.output.save.isEmpty()) {
      say("saved " + TrainingReport.names(options.output.save));
    }
    if (options.output.json) {
      console.println(report.json().toString());
    }
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
