package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.ringstep.GroupedModels;
import io.ringstep.Model;
import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code ringstep train} with models side by side: exchanges, groups, ranks that share them out. */
@Timeout(180)
class EnsembleCommandTest {
  private static final Duration BOUND = Duration.ofSeconds(90);

  @TempDir Path folder;

  private Path data;
  private Path grouped;

  @BeforeEach
  void makeFiles() throws IOException {
    data = Samples.csv(folder);
    List<String> lines = Files.readAllLines(data);
    List<String> shops = new ArrayList<>(List.of("shop," + lines.get(0)));
    for (int row = 1; row < lines.size(); row++) {
      shops.add((row % 3 == 0 ? "north," : "south,") + lines.get(row));
    }
    shops.add("tiny,1,2,3,4");
    grouped = Files.write(folder.resolve("shops.csv"), shops);
  }

  private static Object[] with(Object[] first, Object... more) {
    return Stream.concat(Arrays.stream(first), Arrays.stream(more)).toArray();
  }

  private static Cli.Result train(Object... options) {
    Cli.Result result = Cli.run(with(new Object[] {"train"}, options));
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    return result;
  }

  private List<Model> models(String name, Object... options) {
    Path file = folder.resolve(name + ".safetensors");
    train(with(new Object[] {"--data", data, "--standardize", "--epochs", 4, "--save", file, "--quiet"}, options));
    return ModelFile.loadAll(file);
  }

  // ---- exchange ----

  @Test
  void averagesEndAlike() {
    List<Model> averaged = models("averaged", "--models", 3, "--batch", 4, "--exchange", "average:5");
    List<Model> alone = models("alone", "--models", 3, "--batch", 4);
    assertArrayEquals(averaged.get(0).parameters(), averaged.get(2).parameters());
    assertFalse(Arrays.equals(averaged.get(0).parameters(), alone.get(0).parameters()));
  }

  @Test
  void gradientsExchangedAreOneModelsTraining() {
    List<Model> exchanged = models("exchanged", "--models", 3, "--seed", 5, "--exchange", "gradient");
    List<Model> one = models("one", "--seed", 5);
    for (Model model : exchanged) {
      assertArrayEquals(one.get(0).parameters(), model.parameters());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--patience 2 --batch 1", "--patience 3 --ema 0.9 --batch 4 --optimizer adam", "--swa 1 --schedule plateau --every 0 --batch 3",
      })
  void exchangedGradientsAreValidatedAsOneModel(String settings) {
    Object[] options = with(settings.split(" "), "--validation", data, "--lr", 0.001, "--seed", 5);
    List<Model> exchanged = models("exchanged", with(options, "--models", 3, "--exchange", "gradient"));
    List<Model> one = models("one", options);
    for (Model model : exchanged) {
      assertArrayEquals(one.get(0).parameters(), model.parameters());
    }
  }

  @Test
  void averagedModelsAreValidatedAsTheirMean() {
    Object[] options = {
      "--models", 4, "--exchange", "average:10", "--validation-split", 0.2, "--patience", 5, "--batch", 4, "--lr", 0.001
    };
    Cli.Result result = train(with(options, "--json"));
    JsonObject report = JsonParser.parseString(result.out()).getAsJsonObject();
    JsonObject first = report.getAsJsonArray("models").get(0).getAsJsonObject();
    int best = first.get("best_epoch").getAsInt();
    assertTrue(first.get("stopped_early").getAsBoolean());
    assertEquals(best + 5, first.getAsJsonArray("validation_losses").size());
    assertEquals(first.get("validation_loss"), first.getAsJsonArray("validation_losses").get(best - 1));
    for (JsonElement element : report.getAsJsonArray("models")) {
      JsonObject model = element.getAsJsonObject();
      for (String same : List.of("loss", "validation_loss", "validation_losses", "best_epoch", "stopped_early")) {
        assertEquals(first.get(same), model.get(same), same);
      }
    }
    String told = train(options).out();
    assertTrue(told.contains(", exchange average:10, validated on 0.2 of the rows, patience 5\n"), told);
    assertTrue(told.matches("(?s).*\nof the validation rows [0-9.]+, with the weights of epoch " + best + "\n.*"), told);
  }

  // ---- groups ----

  @Test
  void trainsAndPredictsByGroup() throws IOException {
    Path file = folder.resolve("shops.safetensors");
    Cli.Result result =
        train("--data", grouped, "--group-by", "shop", "--standardize", "--epochs", 5, "--seed", 3, "--json", "--save", file);
    JsonObject report = JsonParser.parseString(result.out()).getAsJsonObject();
    assertEquals(3, report.getAsJsonArray("groups").size());
    JsonObject tiny = report.getAsJsonArray("groups").get(2).getAsJsonObject();
    assertEquals("tiny", tiny.get("group").getAsString());
    assertEquals("too few rows", tiny.get("status").getAsString());
    assertEquals("south", report.getAsJsonArray("groups").get(0).getAsJsonObject().get("group").getAsString());

    // The rows of one group alone, by the seed that the group had.
    Path north = folder.resolve("north.csv");
    List<String> lines = Files.readAllLines(grouped);
    List<String> own = new ArrayList<>(List.of(lines.get(0).substring("shop,".length())));
    lines.stream().filter(line -> line.startsWith("north,")).map(line -> line.substring("north,".length())).forEach(own::add);
    Files.write(north, own);
    Path alone = folder.resolve("north.safetensors");
    train("--data", north, "--standardize", "--epochs", 5, "--seed", 4, "--quiet", "--save", alone);
    GroupedModels models = GroupedModels.load(file);
    float[] x = {1, 2, 3};
    assertArrayEquals(Model.load(alone).predict(x), models.predict(x, List.of("north")));

    Path questions = Files.write(folder.resolve("questions.csv"), List.of("a,b,c,shop", "1,2,3,north", "1,2,3,south"));
    Cli.Result answers = Cli.run("predict", "--model", file, "--data", questions);
    assertEquals(ExitCode.DONE, answers.exitCode(), answers.err());
    String[] answer = answers.out().split("\n");
    assertEquals(3, answer.length, answers.out());
    assertEquals(models.predict(x, List.of("north"))[0], Float.parseFloat(answer[1]));
    assertEquals(models.predict(x, List.of("south"))[0], Float.parseFloat(answer[2]));

    Path unknown = Files.write(folder.resolve("unknown.csv"), List.of("a,b,c,shop", "1,2,3,west"));
    Cli.Result refused = Cli.run("predict", "--model", file, "--data", unknown);
    assertEquals(ExitCode.INVALID, refused.exitCode());
    assertTrue(refused.err().contains("west") && refused.err().lines().count() == 1, refused.err());
  }

  // ---- validation, averages, dropout ----

  /** Model k alone has the seed 5 + k; nothing else is drawn from it here. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "--patience 2 --batch 1",
        "--patience 3 --ema 0.9 --batch 4 --optimizer adam",
        "--swa 1 --schedule plateau --every 0 --batch 3",
        "--dropout 0.3 --patience 2 --batch 2",
        "--schedule cosine --warmup 5 --batch 1",
      })
  void modelsAreAsEachAlone(String settings) throws IOException {
    Object[] options = with(settings.split(" "), "--validation", data, "--lr", 0.001);
    List<Model> together = models("together", with(options, "--models", 4, "--seed", 5));
    for (int k = 0; k < 4; k++) {
      Model alone = models("alone", with(options, "--seed", 5 + k)).get(0);
      assertArrayEquals(alone.parameters(), together.get(k).parameters(), "model " + k);
    }
  }

  @Test
  void tellsOfEachModelsValidation() {
    Cli.Result result = train("--models", 20, "--validation-split", 0.2, "--patience", 3, "--batch", 4, "--lr", 0.001, "--json");
    JsonObject report = JsonParser.parseString(result.out()).getAsJsonObject();
    assertEquals(20, report.getAsJsonArray("models").size());
    for (JsonElement element : report.getAsJsonArray("models")) {
      JsonObject model = element.getAsJsonObject();
      int best = model.get("best_epoch").getAsInt();
      assertTrue(model.get("stopped_early").getAsBoolean());
      assertEquals(best + 3, model.getAsJsonArray("validation_losses").size());
      assertEquals(model.get("validation_loss"), model.getAsJsonArray("validation_losses").get(best - 1));
    }
  }

  // ---- ranks ----

  /** With fewer models than ranks every model trains on all ranks. */
  @ParameterizedTest
  @CsvSource({"--folds 5, 3", "--folds 2, 3", "--models 4 --validation-split 0.3, 2"})
  void ranksShareOutModelsThatAreValidated(String models, int ranks) throws Exception {
    Object[] training =
        with(
            with(new Object[] {"train"}, (Object[]) models.split(" ")), "--patience", 2, "--ema", 0.5, "--batch", 5, "--lr", 1e-3,
            "--json");
    Path expected = folder.resolve("expected.safetensors");
    Cli.Result alone = Cli.run(with(training, "--save", expected));
    assertEquals(ExitCode.DONE, alone.exitCode(), alone.err());
    Path shared = folder.resolve("shared.safetensors");
    Processes.Running launch =
        Processes.start(
            folder, Map.of(), Processes.java(Main.class),
            with(new Object[] {"launch", "--nproc", ranks, "--"}, with(training, "--save", shared)));
    assertEquals(0, launch.await(BOUND), launch.err());
    JsonObject one = JsonParser.parseString(alone.out()).getAsJsonObject();
    JsonObject many = JsonParser.parseString(launch.out()).getAsJsonObject();
    for (String same : List.of("steps", "epochs", "loss", "losses", "validation_loss", "validation_losses", "models")) {
      assertEquals(one.get(same), many.get(same), same);
    }
    List<Model> before = ModelFile.loadAll(expected);
    List<Model> after = ModelFile.loadAll(shared);
    for (int k = 0; k < before.size(); k++) {
      assertArrayEquals(before.get(k).parameters(), after.get(k).parameters(), "model " + k);
      assertEquals(before.get(k).standardizer(), after.get(k).standardizer(), "model " + k);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void ranksShareOutTheModels(int ranks) throws Exception {
    Object[] training = {
      "train", "--models", 7, "--seed", 11, "--batch", 3, "--epochs", 6, "--momentum", 0.5, "--lr", 1e-3, "--json",
    };
    Path expected = folder.resolve("expected.safetensors");
    Cli.Result alone = Cli.run(with(training, "--save", expected));
    assertEquals(ExitCode.DONE, alone.exitCode(), alone.err());
    Path shared = folder.resolve("shared.safetensors");
    Processes.Running launch =
        Processes.start(
            folder, Map.of(), Processes.java(Main.class),
            with(new Object[] {"launch", "--nproc", ranks, "--"}, with(training, "--save", shared)));
    assertEquals(0, launch.await(BOUND), launch.err());
    List<Model> models = ModelFile.loadAll(shared);
    List<Model> before = ModelFile.loadAll(expected);
    assertEquals(7, models.size());
    for (int k = 0; k < 7; k++) {
      assertArrayEquals(before.get(k).parameters(), models.get(k).parameters(), "model " + k);
    }
    JsonObject one = JsonParser.parseString(alone.out()).getAsJsonObject();
    JsonObject many = JsonParser.parseString(launch.out()).getAsJsonObject();
    for (String same : List.of("steps", "epochs", "loss", "losses", "models")) {
      assertEquals(one.get(same), many.get(same), same);
    }
    assertEquals(ranks, many.get("ranks").getAsInt());
  }

  @Test
  void ranksOfAnEnsembleNameTheModelThatDiverged() throws Exception {
    Processes.Running launch =
        Processes.start(
            folder, Map.of(), Processes.java(Main.class), "launch", "--nproc", 2, "--", "train", "--models", 4, "--lr", 1e6,
            "--batch", 4);
    assertEquals(ExitCode.FAILED, launch.await(BOUND), launch.err());
    assertTrue(launch.err().contains("model 0: "), launch.err());
  }

  /** The same file, whatever the number of ranks. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "--models 5 --exchange average:7 --batch 3 --epochs 4",
        "--models 3 --exchange gradient --batch 200 --epochs 9",
        "--models 4 --exchange average:10 --validation-split 0.2 --patience 5 --batch 5 --epochs 60",
        "--models 4 --exchange average:10 --swa 3 --schedule plateau --every 0 --batch 50 --epochs 20",
        "--models 3 --exchange gradient --validation-split 0.3 --patience 2 --ema 0.9 --batch 200 --epochs 60",
        "--data SHOPS --group-by shop --standardize --batch 1 --epochs 6 --swa 2",
      })
  void ranksExchangeAndShareOutGroups(String options) throws Exception {
    Object[] training =
        with(new Object[] {"train", "--lr", 1e-3, "--json"}, (Object[]) options.replace("SHOPS", grouped.toString()).split(" "));
    Path expected = folder.resolve("expected.safetensors");
    Cli.Result alone = Cli.run(with(training, "--save", expected));
    assertEquals(ExitCode.DONE, alone.exitCode(), alone.err());
    JsonObject one = JsonParser.parseString(alone.out()).getAsJsonObject();
    for (int ranks : new int[] {2, 3}) {
      Path shared = folder.resolve(ranks + ".safetensors");
      Processes.Running launch =
          Processes.start(
              folder, Map.of(), Processes.java(Main.class),
              with(new Object[] {"launch", "--nproc", ranks, "--"}, with(training, "--save", shared)));
      assertEquals(0, launch.await(BOUND), launch.err());
      assertArrayEquals(Files.readAllBytes(expected), Files.readAllBytes(shared), ranks + " ranks");
      JsonObject many = JsonParser.parseString(launch.out()).getAsJsonObject();
      for (String same : List.of("steps", "loss", "losses", "validation_losses", "models", "groups")) {
        assertEquals(one.get(same), many.get(same), same);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--models 2                             | .*--models 2 are fewer than the 4 ranks to share them; .*",
        "--models 3 --exchange average:2        | .*--models 3 are fewer than the 4 ranks to share them; .*",
        "--data SHOPS --group-by shop           | .*has 3 groups by shop, fewer than the 4 ranks to share them; .*",
      })
  void refusesWhatRanksCannotShare(String options, String message) throws Exception {
    Object[] words = options.strip().replace("SHOPS", grouped.toString()).split(" ");
    Processes.Running launch =
        Processes.start(
            folder, Map.of(), Processes.java(Main.class),
            with(new Object[] {"launch", "--nproc", 4, "--", "train"}, words));
    assertEquals(ExitCode.INVALID, launch.await(BOUND), launch.err());
    assertTrue(launch.err().lines().anyMatch(line -> line.matches(message.strip())), launch.err());
  }

  // ---- what does not go together ----

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--models 3 --exchange average:5 --dropout 0.1          | .*--exchange does not go with --dropout; .*",
        "--folds 3 --exchange average:2                         | .*--exchange goes with .*, not with --folds: .*",
        "--exchange average:2                                   | .*--exchange is between models; give --models as well",
        "--models 3 --exchange average:0                        | .*no exchange 'average:0'; use .*",
        "--models 3 --exchange sometimes                        | .*no exchange 'sometimes'; use .*",
        "--group-by shop --exchange average:2                   | .*--exchange is between models of the same rows; .*",
        "--group-by shop --models 2                             | .*--group-by trains one model a group; .*",
        "--group-by shop --validation-split 0.2                 | .*--group-by goes with none of .*",
        "--group-by shop --checkpoint DIR                       | .*--group-by goes with none of .*",
        "--group-by town                                        | .*no column 'town'.*",
      })
  void refusesWithOneLine(String options, String message) {
    Object[] words = options.strip().replace("DIR", folder.toString()).split(" ");
    Cli.Result result = Cli.run(with(new Object[] {"train", "--data", grouped}, words));
    assertEquals(ExitCode.INVALID, result.exitCode(), result.err());
    assertEquals(1, result.err().lines().count(), result.err());
    assertTrue(result.err().strip().matches(message.strip()), result.err());
    assertEquals("", result.out());
  }
}
