package io.ringstep.cli;

import io.ringstep.Activation;
import io.ringstep.SearchSpace.Values;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options of {@code ringstep sweep}; {@link SweepRun} does the work. */
@Command(
    name = "sweep",
    abbreviateSynopsis = true,
    description = {
      "Searches for good settings: trains models with many settings side by side, judges them by k-fold"
          + " cross-validation, stops the hopeless early, and prints the best. Optimizer: sgd; loss: mean squared error.",
      "A list (0.01,0.1) is tried value by value, a range (0.001..0.1) is drawn from, equal ratios being equally"
          + " likely. Where all are lists and --trials is enough, every combination is tried.",
    },
    footer = {
      "%nExamples:",
      "  ringstep sweep --trials 1000",
      "  ringstep sweep --data houses.csv --target price --hidden 8,16,32x8 --activation relu,tanh \\",
      "      --lr 0.0001..0.1 --momentum 0,0.9 --weight-decay 0.00001..0.1 --save best.safetensors --plot map.svg",
    })
final class SweepCommand implements Action {
  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = "As for train. Default: the bundled diabetes table.")
  Path file;

  @Option(
      names = "--target",
      paramLabel = "COLUMN[,COLUMN]",
      split = ",",
      hideParamSyntax = true,
      description = "The columns to predict; all others are inputs. Default: the last one.")
  List<String> targets = List.of();

  @Option(
      names = "--no-standardize",
      description = "Take the columns as they are. Default: mean 0, standard deviation 1, by the rows of training alone.")
  boolean raw;

  @ArgGroup(validate = false, heading = "%nWhat to try:%n", order = 1)
  Space space = new Space();

  /** What to try. */
  static final class Space {
    @Option(
        names = "--hidden",
        paramLabel = "WIDTHS[,WIDTHS]",
        split = ",",
        hideParamSyntax = true,
        description = "Widths of the hidden layers of each network, as 20, 32x8, or 0 for none. Default: 20.")
    List<String> hidden = List.of("20");

    @Option(
        names = "--activation",
        paramLabel = "NAME[,NAME]",
        split = ",",
        hideParamSyntax = true,
        description = "identity, relu, tanh, sigmoid. Default: identity,tanh.")
    List<Activation> activations = List.of(Activation.IDENTITY, Activation.TANH);

    @Option(
        names = "--lr",
        paramLabel = "VALUES",
        converter = ValuesConverter.class,
        description = "Learning rates. Default: 0.001..0.1.")
    Values learningRates = Values.logUniform(1e-3, 0.1);

    @Option(
        names = "--momentum",
        paramLabel = "VALUES",
        converter = ValuesConverter.class,
        description = "Momenta. Default: 0,0.9.")
    Values momenta = Values.of(0, 0.9);

    @Option(
        names = "--weight-decay",
        paramLabel = "VALUES",
        converter = ValuesConverter.class,
        description = "L2 penalties. Default: 0.0001..0.3.")
    Values weightDecays = Values.logUniform(1e-4, 0.3);

    @Option(
        names = "--seeds",
        paramLabel = "N",
        description = "Random starts to choose from, with seeds 0 to N - 1. Default: 1.")
    Integer seeds = 1;
  }

  @ArgGroup(validate = false, heading = "%nHow to search:%n", order = 2)
  Search search = new Search();

  /** How to search. */
  static final class Search {
    @Option(names = "--trials", paramLabel = "N", description = "Settings to try at most. Default: 100.")
    Integer trials = 100;

    @Option(names = "--folds", paramLabel = "K", description = "Of the cross-validation. Default: 5.")
    Integer folds = 5;

    @Option(
        names = "--epochs",
        paramLabel = "N",
        description = "For the settings that come to the last of three rounds. Default: 200.")
    Integer epochs = 200;

    @Option(names = "--batch", paramLabel = "N", description = "Rows a step. Default: 32.")
    Long batch = 32L;

    @Option(
        names = "--seed",
        paramLabel = "N",
        converter = Converters.Seed.class,
        description = "Of the folds, of the settings drawn and of the orders of rows. Default: 0.")
    Long seed = 0L;
  }

  @ArgGroup(validate = false, heading = "%nOutput:%n", order = 3)
  Output output = new Output();

  /** What it leaves behind. */
  static final class Output {
    @Option(names = "--top", paramLabel = "N", description = "Rows of the table. Default: 10.")
    Integer top = 10;

    @Option(
        names = "--save",
        paramLabel = "FILE",
        description = "Train the best setting once more, on all rows, and write that model.")
    Path save;

    @Option(
        names = "--plot",
        paramLabel = "FILE",
        description = "Draw the validation loss of every setting over its learning rate, as .svg or .png by the file's name.")
    Path plot;

    @Option(names = "--report", paramLabel = "FILE", description = "Write one HTML page with the table and the chart.")
    Path report;

    @Option(
        names = "--json",
        description = "Print one line of JSON, and nothing else, on standard output: tried, steps, seconds, best, trials.")
    boolean json;

    @Option(names = "--quiet", description = "Print nothing but --json's line and failures.")
    boolean quiet;
  }

  @Override
  public int run(Console console) throws Exception {
    requireValid();
    return new SweepRun(this, console).run();
  }

  private void requireValid() {
    Checks.requireAtLeastOne("--seeds", space.seeds);
    Checks.requireAtLeastOne("--trials", search.trials);
    Checks.require(search.folds >= 2, "--folds must be at least 2, but is " + search.folds);
    Checks.requireAtLeastOne("--epochs", search.epochs);
    Checks.requireAtLeastOne("--batch", search.batch);
    Checks.requireAtLeastOne("--top", output.top);
    Checks.require(
        new HashSet<>(targets).size() == targets.size() && targets.stream().noneMatch(String::isBlank),
        "--target has an empty or repeated name; name each column once, as in a,b");
    Checks.require(
        output.save == null || file == null || !OutputFiles.same(output.save, file),
        "--save would overwrite --data " + file + "; name another file");
    ChartFiles.requireWritable(output.plot, output.report);
    if (output.save != null) {
      OutputFiles.requireWritable(output.save);
    }
  }

  /** A list, {@code 0.01,0.1}, or a range, {@code 0.001..0.1}. */
  static final class ValuesConverter implements ITypeConverter<Values> {
    @Override
    public Values convert(String text) {
      try {
        int range = text.indexOf("..");
        if (range >= 0) {
          return Values.logUniform(
              Double.parseDouble(text.substring(0, range)), Double.parseDouble(text.substring(range + 2)));
        }
        String[] parts = text.split(",", -1);
        double[] list = new double[parts.length];
        for (int i = 0; i < parts.length; i++) {
          list[i] = Double.parseDouble(parts[i]);
        }
        return Values.of(list);
      } catch (NumberFormatException e) {
        throw new TypeConversionException("'" + text + "' is neither a list, as 0.01,0.1, nor a range, as 0.001..0.1");
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException("'" + text + "': " + e.getMessage());
      }
    }
  }
}
