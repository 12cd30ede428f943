package io.ringstep.cli;

import io.ringstep.Activation;
import io.ringstep.Checkpoint;
import io.ringstep.CollectiveException;
import io.ringstep.InvalidDataException;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.RingstepException;
import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** One run of {@code ringstep train}: reads, trains, saves, reports. */
final class TrainingRun {
  private final TrainCommand options;
  private final Console console;
  private RankSession session;

  TrainingRun(TrainCommand options, Console console) {
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
    List<Model> models = InitialModels.read(options.network, options.models());
    Loss loss = StartingPoint.loss(options.loss, models);
    int targets = StartingPoint.outputs(options.data, options.network, models, loss);
    List<String> classNames = models.isEmpty() ? List.of() : models.get(0).classNames();
    try (TrainingData data = TrainingData.read(options, loss, targets, classNames)) {
      StartingPoint start = StartingPoint.of(options.network, models, loss, data);
      Checks.require(
          !options.loop.collapse || start.network().activation() == Activation.IDENTITY && options.loss.dropout == 0,
          "--collapse needs a network without activations and dropout; leave it out, or those");
      data.prepare(options, start.standardizer());
      return train(data, start);
    }
  }

  private int train(TrainingData data, StartingPoint start) throws IOException {
    TrainingReport report = new TrainingReport(options, console, session);
    // Of several ranks, all go on from rank 0's.
    Optional<Checkpoint> checkpoint =
        session.leads() ? options.checkpoints.start(console.err()) : Optional.empty();
    report.begin(data, start);
    report.resuming(checkpoint);
    try (Interrupts interrupts = new Interrupts(console.err(), session.worldSize() > 1)) {
      TrainingResult result = new TrainingResult(train(data, start, interrupts, checkpoint));
      interrupts.trainingEnded();
      List<Path> saved = save(result);
      if (interrupts.requested() || result.isCutShort()) {
        report.interrupted(result, saved);
        return ExitCode.INTERRUPTED;
      }
      report.end(data, result);
      draw(data, result, report, start);
      return ExitCode.DONE;
    }
  }

  private List<Trained> train(
      TrainingData data, StartingPoint start, Interrupts interrupts, Optional<Checkpoint> checkpoint) {
    try (ProgressDisplay display = ProgressDisplay.of(console, options.output)) {
      return new Ensemble(options, start, display, interrupts::requested, checkpoint, session.communicator())
          .train(data);
    } catch (InvalidDataException | CollectiveException e) {
      throw e; // their kind tells the exit code
    } catch (RingstepException e) {
      List<Path> save = options.output.save;
      String untouched = save.isEmpty() ? "" : "; " + TrainingReport.names(save) + " left as it was";
      throw new RingstepException(e.getMessage() + untouched, e);
    }
  }

  private void draw(TrainingData data, TrainingResult result, TrainingReport report, StartingPoint start)
      throws IOException {
    if (options.output.plot != null) {
      ChartFiles.write(TrainingCharts.losses(result, TrainingReport.lossName(result)), options.output.plot);
    }
    if (options.output.report != null) {
      ChartFiles.write(report.page(data, result, start), options.output.report);
    }
  }

  /** Saves what was trained, be it fewer models than there are files. */
  private List<Path> save(TrainingResult result) throws IOException {
    List<Path> files = options.output.save;
    List<Model> models = result.models().stream().map(Trained::model).toList();
    if (files.isEmpty() || models.isEmpty()) {
      return List.of();
    }
    if (files.size() < options.models()) {
      ModelFile.saveAll(models, files.get(0));
      return files;
    }
    for (int k = 0; k < models.size(); k++) {
      models.get(k).save(files.get(k));
    }
    return files.subList(0, models.size());
  }
}
