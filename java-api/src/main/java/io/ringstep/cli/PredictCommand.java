package io.ringstep.cli;

import io.ringstep.GroupedModels;
import io.ringstep.InvalidDataException;
import io.ringstep.Model;
import io.ringstep.internal.ModelFile;
import io.ringstep.internal.files.AtomicFile;
import io.ringstep.internal.files.NpyFile;
import io.ringstep.internal.files.GroupedTable;
import io.ringstep.internal.files.Table;
import io.ringstep.internal.files.TableReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ringstep predict}: a model's answers to the rows of a file. */
@Command(
    name = "predict",
    description = {
      "Writes a model's answers to the rows of a file, in the targets' own units.",
      "One column a target, named as in training, else y, or y1,y2,... Of a file with K stacked"
          + " models, every model's columns follow each other: y_0,y_1,...",
      "Of a model trained by --loss bce, the numbers are probabilities. Of one trained by --loss"
          + " cross-entropy, the first column is the most likely class, and one column a class follows with its"
          + " probability: y,y=cat,y=dog. In .npy, the probabilities alone."
    },
    optionListHeading = "%nOptions:%n",
    footer = {
      "%nExamples:",
      "  ringstep predict --model houses.safetensors --data new.csv --out prices.csv",
      "  ringstep predict --model houses.safetensors --data new.csv | head",
    })
final class PredictCommand implements Action {
  @Option(
      names = "--model",
      paramLabel = "FILE",
      required = true,
      description = "A .safetensors file, as train --save writes it.")
  Path model;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      required = true,
      description =
          "CSV with the inputs' columns, by name where the model knows names; .npy; or .npz or"
              + " .safetensors holding x.")
  Path data;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description =
          "Write CSV, or .npy by its extension, whole or not at all. Default: CSV on standard output.")
  Path out;

  @Override
  public int run(Console console) throws IOException {
    if (out != null) {
      Checks.require(
          !OutputFiles.same(out, data) && !OutputFiles.same(out, model),
          "--out " + out + " would overwrite what it is made from; name another file");
      OutputFiles.requireWritable(out);
    }
    write(predictions(), console);
    return ExitCode.DONE;
  }

  private Predictions predictions() {
    Optional<GroupedModels> grouped = ModelFile.loadGroups(model);
    if (grouped.isPresent()) {
      return byGroup(grouped.get());
    }
    List<Model> models = ModelFile.loadAll(model);
    Model first = models.get(0);
    Table rows =
        TableReader.readFeatures(
            data,
            first.inputNames(),
            first.network().inputs(),
            first.loss().targets(first.network().outputs()),
            first.classNames().isEmpty() || first.targetNames().isEmpty() ? null : first.targetNames().get(0));
    return new Predictions(models, rows);
  }

  private Predictions byGroup(GroupedModels grouped) {
    Model first = grouped.models().get(0);
    GroupedTable rows =
        TableReader.readGroupedFeatures(
            data, grouped.column(), first.inputNames(), first.network().inputs(), first.network().outputs());
    for (int row = 0; row < rows.groups().size(); row++) {
      String group = rows.groups().get(row);
      if (grouped.model(group).isEmpty()) {
        throw new InvalidDataException(
            data, 0, 0,
            "row " + (row + 1) + " is of " + grouped.column() + " '" + group + "', for which " + model
                + " has no model; leave the row out, or train with rows of that group");
      }
    }
    return new Predictions(grouped, rows);
  }

  private void write(Predictions predictions, Console console) throws IOException {
    if (out == null) {
      predictions.writeCsv(console.out());
    } else if (out.toString().toLowerCase(Locale.ROOT).endsWith(".npy")) {
      NpyFile.write(out, predictions.tensor());
    } else {
      AtomicFile.write(out, predictions::writeCsv);
    }
  }
}
