package io.ringstep.cli;

import io.ringstep.Dataset;
import io.ringstep.Encoding;
import io.ringstep.Model;
import io.ringstep.Trainer;
import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ringstep compress}: a model in fewer bytes, and what that costs. */
@Command(
    name = "compress",
    description = {
      "Writes a model with its weights rounded to fewer bits, its smallest weights set to 0, or both, and"
          + " says how many bytes that saves. With --data it says what it costs: the mean squared error"
          + " and R2 on those rows, beside the full model's.",
      "The result is read by predict, and by train --init, as any other model."
    },
    optionListHeading = "%nOptions:%n",
    footer = {
      "%nExamples:",
      "  ringstep compress --model full.safetensors --to int8 --data houses.csv --save small.safetensors",
      "  ringstep compress --model full.safetensors --prune 0.5 --save half.safetensors",
    })
final class CompressCommand implements Action {
  @Option(
      names = "--model",
      paramLabel = "FILE",
      required = true,
      description = "A .safetensors file, as train --save writes it.")
  Path model;

  @Option(
      names = "--to",
      paramLabel = "ENCODING",
      description = "float32 (default), float16, bfloat16, or int8 with a scale for each row of a weight matrix.")
  Encoding encoding = Encoding.FLOAT32;

  @Option(
      names = "--prune",
      paramLabel = "FRACTION",
      description = "Set this fraction of all weights, the smallest by size, to 0 first.")
  Double prune;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = "Rows to measure the loss on, as train reads them.")
  Path data;

  @Option(
      names = "--target",
      paramLabel = "COLUMN[,COLUMN]",
      split = ",",
      hideParamSyntax = true,
      description = "The columns of --data to predict. Default: those the model was trained on, else the last.")
  List<String> targets = List.of();

  @Option(names = "--save", paramLabel = "FILE", required = true, description = "Where to write it.")
  Path save;

  @Override
  public int run(Console console) throws IOException {
    requireValid();
    List<Model> full = ModelFile.loadAll(model);
    List<Model> small = full.stream().map(this::compress).toList();
    String report = data == null ? "" : losses(full, small);
    if (full.size() == 1) {
      small.get(0).save(save);
    } else {
      ModelFile.saveAll(small, save);
    }
    console.println(sizes(small));
    if (!report.isEmpty()) {
      console.println(report);
    }
    return ExitCode.DONE;
  }

  private void requireValid() {
    Checks.require(
        prune == null || prune >= 0 && prune <= 1, "--prune must be from 0 to 1, but is " + prune);
    Checks.require(
        prune != null || encoding != Encoding.FLOAT32,
        "nothing to do; give --to float16, bfloat16 or int8, or --prune");
    Checks.require(
        !OutputFiles.same(save, model), "--save would overwrite --model " + model + "; name another file");
    Checks.require(targets.isEmpty() || data != null, "--target names columns of --data, which is missing");
    OutputFiles.requireWritable(save);
  }

  private Model compress(Model full) {
    Model left = prune == null ? full : full.pruned(prune);
    try {
      return left.compressed(encoding);
    } catch (IllegalArgumentException e) {
      throw new UsageException(model + ": " + e.getMessage(), e);
    }
  }

  private String sizes(List<Model> small) throws IOException {
    long weights = 0;
    long kept = 0;
    for (Model one : small) {
      float[] parameters = one.parameters();
      weights += parameters.length;
      kept += IntStream.range(0, parameters.length).filter(i -> parameters[i] != 0).count();
    }
    return String.format(
        Locale.ROOT,
        "%s: %,d bytes as %s, %.0f %% of %s's %,d; %,d of %,d weights and biases are not 0",
        save, Files.size(save), encoding.name().toLowerCase(Locale.ROOT),
        100.0 * Files.size(save) / Files.size(model), model, Files.size(model), kept, weights);
  }

  /** The mean over stacked models, in the targets' own units. */
  private String losses(List<Model> full, List<Model> small) {
    Model first = full.get(0);
    List<String> names = targets.isEmpty() ? first.targetNames() : targets;
    try (Dataset raw =
            names.isEmpty() ? Dataset.read(data, first.network().outputs()) : Dataset.read(data, names);
        Dataset rows = first.standardizer().isPresent() ? raw.standardized(first.standardizer().get()) : raw) {
      Checks.require(
          rows.inputs() == first.network().inputs() && rows.outputs() == first.network().outputs(),
          data + " has " + Text.count(rows.inputs(), "input") + " and " + Text.count(rows.outputs(), "target")
              + ", but " + model + " takes " + first.network().inputs() + " and gives " + first.network().outputs()
              + "; use rows like those it was trained on");
      double variance = variance(raw);
      double before = loss(full, rows);
      double after = loss(small, rows);
      return String.format(
          Locale.ROOT,
          "mean squared error %s, full model %s (%+.4f %%); R2 %.5f, full model %.5f",
          Text.loss(after), Text.loss(before), 100 * (after / before - 1),
          1 - after / variance, 1 - before / variance);
    }
  }

  private static double loss(List<Model> models, Dataset rows) {
    return models.stream()
        .mapToDouble(
            model -> {
              try (Trainer trainer = Trainer.builder(model).build()) {
                return trainer.evaluate(rows);
              }
            })
        .average()
        .orElseThrow();
  }

  /** Of the targets about their means: the loss of a model that knows only those. */
  private static double variance(Dataset rows) {
    try (Dataset standardized = rows.standardized()) {
      double[] deviations = standardized.standardizer().orElseThrow().yScale();
      return Arrays.stream(deviations).map(deviation -> deviation * deviation).average().orElseThrow();
    }
  }
}
