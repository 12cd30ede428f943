package io.ringstep.cli;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/** What a run leaves behind. */
final class OutputOptions {
  @Option(
      names = "--save",
      paramLabel = "FILE[,FILE]",
      split = ",",
      hideParamSyntax = true,
      description =
          "Write the trained weights, as --init reads them, whole or not at all. With --models, one"
              + " file a model as in a,b, or one in which they are stacked. Ctrl-C saves what is"
              + " trained so far.")
  List<Path> save = List.of();

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description = "Draw the loss of every epoch, as .svg or .png by the file's name.")
  Path plot;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description =
          "Write one HTML page about the run: its settings, its losses, and charts of these and of predictions"
              + " against truth.")
  Path report;

  @Option(
      names = "--json",
      description =
          "Print one line of JSON, and nothing else, on standard output: steps and epochs (of each"
              + " model), loss (the mean with the final weights), losses (of every epoch as"
              + " it was trained), samples_per_second, device, seconds; with --models or --folds also models; with several"
              + " ranks also ranks; with"
              + " validation also validation_loss, validation_losses (of every epoch) and with --patience best_epoch and"
              + " stopped_early. With --group-by steps, samples_per_second, seconds and groups, which have these but for the"
              + " losses of every epoch.")
  boolean json;

  @Option(names = "--quiet", description = "Print nothing but --json's line and failures.")
  boolean quiet;

  /** Of several ranks, one saves and reports. */
  void silence() {
    save = List.of();
    plot = null;
    report = null;
    json = false;
    quiet = true;
  }

  void requireValid(int models, Path data) {
    Checks.requireFileCount("--save", save, models);
    Checks.require(
        save.stream().map(Path::toAbsolutePath).collect(Collectors.toCollection(HashSet::new)).size()
            == save.size(),
        "--save names a file twice; name each once");
    ChartFiles.requireWritable(plot, report);
    Checks.require(
        data == null || save.stream().noneMatch(file -> OutputFiles.same(file, data)),
        "--save would overwrite --data " + data + "; name another file");
  }
}
