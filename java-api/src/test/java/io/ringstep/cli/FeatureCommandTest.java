package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.ringstep.Activation;
import io.ringstep.Dataset;
import io.ringstep.Fit;
import io.ringstep.FitResult;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Schedule;
import io.ringstep.Sgd;
import io.ringstep.Split;
import io.ringstep.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Losses, penalties, schedules, averages and validation on the command line. */
class FeatureCommandTest {
  @TempDir Path folder;

  private Path data;
  private Path saved;

  @BeforeEach
  void makeData() throws IOException {
    data = Samples.csv(folder);
    saved = folder.resolve("saved.safetensors");
  }

  /** 90 rows of two inputs around three points, the name of the point, and a weight. */
  private Path classes() throws IOException {
    Random random = new Random(4);
    StringBuilder text = new StringBuilder("a,b,kind,n\n");
    String[] names = {"pear", "\"apple, red\"", "fig"};
    for (int row = 0; row < 90; row++) {
      int kind = row % 3;
      double a = kind + random.nextGaussian() / 8;
      double b = (kind == 1 ? 1 : -1) + random.nextGaussian() / 8;
      text.append(a).append(',').append(b).append(',').append(names[kind]).append(',').append(1 + row % 2).append('\n');
    }
    return Files.writeString(folder.resolve("classes.csv"), text);
  }

  @Test
  void tellsClassesApartByTheirNames() throws IOException {
    Path file = classes();
    JsonObject report =
        run("train", "--data", file, "--target", "kind", "--weights", "n", "--network", "2,8,3", "--activation", "tanh",
                "--loss", "cross-entropy", "--optimizer", "adam", "--lr", 0.05, "--standardize", "--json", "--save", saved)
            .json();
    assertTrue(report.get("loss").getAsDouble() < 0.05, report.toString());

    Model model = Model.load(saved);
    assertEquals(Loss.CROSS_ENTROPY, model.loss());
    assertEquals(List.of("apple, red", "fig", "pear"), model.classNames());
    assertEquals(List.of("a", "b"), model.inputNames());
    List<String> lines = run("predict", "--model", saved, "--data", file).out().lines().toList();
    assertEquals("kind,\"kind=apple, red\",kind=fig,kind=pear", lines.get(0));
    int right = 0;
    String[] expected = {"pear,", "\"apple, red\",", "fig,"};
    for (int row = 0; row < 90; row++) {
      String line = lines.get(row + 1);
      right += line.startsWith(expected[row % 3]) ? 1 : 0;
      String[] cells = line.substring(line.lastIndexOf('"') + 1).split(",");
      double sum = Arrays.stream(cells).skip(1).mapToDouble(Double::parseDouble).sum();
      assertEquals(1, sum, 1e-6);
    }
    assertTrue(right >= 88, right + " of 90");

    // Rows of other order, going on: the classes keep their numbers.
    List<String> rows = new ArrayList<>(Files.readAllLines(file));
    Path turned = folder.resolve("turned.csv");
    Files.write(turned, List.of(rows.get(0), rows.get(2), rows.get(1), rows.get(3)));
    double loss =
        run("train", "--data", turned, "--target", "kind", "--weights", "n", "--init", saved, "--lr", 0, "--epochs", 1,
                "--json")
            .json().get("loss").getAsDouble();
    assertTrue(loss < 0.5, "loss " + loss);
    refuses(".*:2:3: no class is called 'kiwi'; the classes are apple, red, fig, pear",
        "train", "--data", Files.writeString(turned, "a,b,kind\n1,2,kiwi\n"), "--target", "kind", "--init", saved);
  }

  @Test
  void givesTheProbabilityOfABinaryTarget() throws IOException {
    Path file = Files.writeString(folder.resolve("b.csv"), "a,won\n-2,0\n-1,0\n1,1\n2,1\n");
    run("train", "--data", file, "--target", "won", "--network", "1,1", "--loss", "bce", "--lr", 1, "--save", saved);
    List<String> lines = run("predict", "--model", saved, "--data", file).out().lines().toList();
    assertEquals("won", lines.get(0));
    assertTrue(Double.parseDouble(lines.get(1)) < 0.1 && Double.parseDouble(lines.get(4)) > 0.9, lines.toString());
  }

  @Test
  void doesWhatTheApiDoes() {
    JsonObject report =
        run("train", "--data", data, "--network", "3,5,1", "--activation", "tanh", "--loss", "huber", "--huber-delta", 0.5,
                "--l1", 0.001, "--clip-norm", 0.5, "--dropout", 0.2, "--momentum", 0.9, "--standardize", "--seed", 3,
                "--batch", 7, "--epochs", 30, "--schedule", "cosine", "--min-lr", 0.001, "--warmup", 9, "--ema", 0.9,
                "--validation-split", 0.25, "--patience", 5, "--min-delta", 0.0001, "--json", "--save", saved)
            .json();
    try (Dataset rows = Dataset.read(data, 1);
        Split raw = rows.split(0.25, 3);
        Split split = raw.standardized();
        Trainer trainer =
            Trainer.builder(Network.of(3, 5, 1).withActivation(Activation.TANH))
                .loss(Loss.huber(0.5))
                .optimizer(new Sgd(0.01).withMomentum(0.9))
                .l1(0.001)
                .clipNorm(0.5)
                .dropout(0.2, 3)
                .seed(3)
                .build()) {
      FitResult result =
          trainer.fit(
              split.training(),
              Fit.epochs(30)
                  .batch(7)
                  .shuffled(3)
                  .schedule(Schedule.cosine(0.001).withWarmup(9, 1.0 / 3))
                  .ema(0.9)
                  .validation(split.validation())
                  .earlyStopping(5, 0.0001));
      assertArrayEquals(trainer.parameters(), Model.load(saved).parameters());
      assertEquals(trainer.evaluate(split.training()), report.get("loss").getAsDouble());
      assertEquals(trainer.evaluate(split.validation()), report.get("validation_loss").getAsDouble());
      assertEquals(result.bestEpoch().orElseThrow(), report.get("best_epoch").getAsInt());
      assertEquals(result.stoppedEarly(), report.get("stopped_early").getAsBoolean());
      assertEquals(result.epochs(), report.getAsJsonArray("validation_losses").size());
      assertEquals(result.epochs(), report.get("epochs").getAsInt());
    }
  }

  @Test
  void trainsAModelForEveryFold() {
    JsonObject report =
        run("train", "--data", data, "--lr", 1e-4, "--epochs", 20, "--folds", 4, "--seed", 2, "--json", "--save", saved)
            .json();
    assertEquals(4, report.getAsJsonArray("models").size());
    double sum = 0;
    for (int k = 0; k < 4; k++) {
      sum += report.getAsJsonArray("models").get(k).getAsJsonObject().get("validation_loss").getAsDouble();
    }
    assertEquals(sum / 4, report.get("validation_loss").getAsDouble(), 1e-9 * sum);
    assertFalse(report.has("best_epoch"));
  }

  @Test
  void validatesWithAFileOfItsOwn() {
    JsonObject report =
        run("train", "--data", data, "--validation", data, "--lr", 1e-4, "--epochs", 5, "--json").json();
    assertEquals(report.get("loss"), report.get("validation_loss"));
    JsonObject plain = run("train", "--data", data, "--lr", 1e-4, "--epochs", 5, "--json").json();
    assertFalse(plain.has("validation_loss") || plain.has("validation_losses"), plain.toString());
    assertEquals(plain.get("loss"), report.get("loss"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--loss hinge                     | .*--loss.*'hinge' is none of mse, mae, huber, bce, cross-entropy; .+",
        "--huber-delta 1                  | --huber-delta is for --loss huber; .+",
        "--loss huber --huber-delta 0     | --huber-delta must be a finite number above 0, but is 0.0",
        "--l1 -1                          | --l1 must be a finite number of at least 0, but is -1.0",
        "--clip-norm 0                    | --clip-norm must be a finite number above 0, but is 0.0",
        "--clip-norm 1 --clip-value 1     | --clip-norm and --clip-value exclude each other; give one",
        "--dropout 1                      | --dropout must be at least 0 and below 1, but is 1.0",
        "--weights none                   | .*no column 'none'; the columns are a, b, c, price",
        "--weights c                      | .*has the weight -.* in row 1; a weight is at least 0",
        "--weights a --target a           | .*column 'a' cannot be both a target and the weights",
        "--schedule sine                  | .*--schedule.*'sine' is none of constant, step, cosine, plateau; .+",
        "--gamma 0.5                      | --gamma is for --schedule step or plateau",
        "--schedule step --every 0        | --every must be at least 1, but is 0",
        "--schedule plateau --gamma 1     | --gamma must be above 0 and below 1 for a plateau, but is 1.0",
        "--min-lr 0.1                     | --min-lr is for --schedule cosine or plateau",
        "--warmup -1                      | --warmup must be at least 0, but is -1",
        "--ema 1                          | --ema must be at least 0 and below 1, but is 1.0",
        "--ema 0.9 --swa 3                | --ema and --swa exclude each other; give one",
        "--validation-split 1             | --validation-split must be above 0 and below 1, but is 1.0",
        "--folds 1                        | --folds must be at least 2, but is 1",
        "--folds 61                       | --folds 61 needs as many rows, but .+ has 60",
        "--folds 3 --models 2             | --folds trains a model for each fold; leave --models out",
        "--folds 3 --validation-split 0.1 | --validation, --validation-split and --folds exclude each other; give one",
        "--patience 3                     | --patience needs --validation, --validation-split or --folds",
        "--validation-split 0.1 --patience 0 | --patience must be at least 1, but is 0",
        "--min-delta 1                    | --min-delta is for --patience; give that too",
        "--validation none.csv            | none.csv: no such file; .+",
        "--loss bce                       | .*a target of row 0 is .*; with binary cross-entropy it is a probability, from 0 to 1",
      })
  void refuses(String options, String problem) {
    List<Object> args = new ArrayList<>(List.of("train", "--quiet", "--data", data));
    args.addAll(Arrays.asList(options.strip().split(" +")));
    refuses(problem.strip(), args.toArray());
  }

  private static void refuses(String problem, Object... args) {
    Cli.Result result = Cli.run(args);
    assertEquals(ExitCode.INVALID, result.exitCode(), result.err());
    assertTrue(result.err().matches("ringstep train: (" + problem + ")\n"), result.err());
    assertEquals("", result.out());
  }

  private static Cli.Result run(Object... args) {
    Cli.Result result = Cli.run(args);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    return result;
  }
}
