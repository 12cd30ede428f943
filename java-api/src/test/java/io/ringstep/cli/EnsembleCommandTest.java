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
    Path alone = folder.resolve("north.safetensors");
    train("--data", rowsOf("north", grouped), "--standardize", "--epochs", 5, "--seed", 4, "--quiet", "--save", alone);
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

  /** The rows of one group, without the column that names it. */
  private Path rowsOf(String group, Path file) throws IOException {
    List<String> lines = Files.readAllLines(file);
    List<String> own = new ArrayList<>(List.of(lines.get(0).substring("shop,".length())));
    lines.stream().filter(line -> line.startsWith(group + ",")).map(line -> line.substring(group.length() + 1)).forEach(own::add);
    return Files.write(folder.resolve(group + "-of-" + file.getFileName()), own);
  }

  /** Group g alone has the seed 3 + g; of one row it cannot be validated, and trains to the end. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--batch 1                                          | --validation-split 0.3 --patience 2",
        "--batch 4 --optimizer adam --ema 0.9 --dropout 0.2 | --validation-split 0.25 --patience 3 --min-delta 0.1",
        "--batch 3 --swa 1 --schedule plateau --every 0     | --validation-split 0.2",
        "--batch 1 --schedule cosine --warmup 5 --swa 2     | ",
        "--batch 16 --schedule step --every 2 --ema 0.8     | ",
        "--batch 2 --loss huber --huber-delta 0.5           | --validation-split 0.4 --patience 1",
      })
  void groupsAreAsEachAlone(String settings, String validation) throws IOException {
    Object[] training = with(settings.split(" "), "--lr", 0.01, "--epochs", 12, "--standardize", "--quiet");
    Object[] validated = validation == null ? training : with(training, (Object[]) validation.split(" "));
    Path file = folder.resolve("shops.safetensors");
    train(with(validated, "--data", grouped, "--group-by", "shop", "--seed", 3, "--save", file));
    GroupedModels models = GroupedModels.load(file);
    for (int g = 0; g < 3; g++) {
      String group = models.groups().get(g);
      Path alone = folder.resolve("alone.safetensors");
      train(
          with(
              group.equals("tiny") ? training : validated, "--data", rowsOf(group, grouped), "--seed", 3 + g, "--save", alone));
      assertArrayEquals(Model.load(alone).parameters(), models.models().get(g).parameters(), group);
      assertEquals(Model.load(alone).standardizer(), models.models().get(g).standardizer(), group);
      assertEquals(Model.load(alone).loss(), models.models().get(g).loss(), group);
    }
  }

  @Test
  void tellsOfEachGroupsValidation() throws IOException {
    Object[] training = {
      "--data", grouped, "--group-by", "shop", "--standardize", "--lr", 0.05, "--batch", 4, "--validation-split", 0.2,
      "--patience", 3,
    };
    JsonObject report = JsonParser.parseString(train(with(training, "--json")).out()).getAsJsonObject();
    for (int g = 0; g < 2; g++) {
      JsonObject group = report.getAsJsonArray("groups").get(g).getAsJsonObject();
      Cli.Result alone =
          train(
              "--data", rowsOf(group.get("group").getAsString(), grouped), "--seed", g, "--standardize", "--lr", 0.05, "--batch",
              4, "--validation-split", 0.2, "--patience", 3, "--json");
      JsonObject expected = JsonParser.parseString(alone.out()).getAsJsonObject();
      for (String same : List.of("loss", "validation_loss", "best_epoch", "stopped_early")) {
        assertEquals(expected.get(same), group.get(same), same);
      }
      assertEquals(g == 0 ? 32 : 16, group.get("rows").getAsInt());
      assertEquals(g == 0 ? 8 : 4, group.get("validation_rows").getAsInt());
      assertEquals("ok", group.get("status").getAsString());
    }
    JsonObject tiny = report.getAsJsonArray("groups").get(2).getAsJsonObject();
    assertEquals(List.of("group", "rows", "loss", "validation_rows", "status"), List.copyOf(tiny.keySet()));
    assertEquals("too few rows, not validated", tiny.get("status").getAsString());

    String[] lines = train(training).out().split("\n");
    assertTrue(lines[0].endsWith(": 61 rows, validated on 0.2 of the rows, patience 3"), lines[0]);
    assertEquals("group       rows           loss validation loss best epoch  status", lines[1]);
    assertTrue(lines[2].matches("south {9}32 +[0-9.e+-]{9,14} +[0-9.e+-]{9,14} +[0-9]+  ok"), lines[2]);
    assertTrue(lines[4].matches("tiny {11}1 +[0-9.e+-]+ {15}- {10}-  too few rows, not validated"), lines[4]);
    assertTrue(lines[5].startsWith("3 groups, 2 ok, in "), lines[5]);
  }

  /** Of which some groups have no rows. */
  @Test
  void validatesGroupsWithTheRowsOfAFile() throws IOException {
    List<String> lines = List.of("shop,a,b,c,price", "tiny,1,2,3,4", "north,2,1,-5,44", "tiny,2,2,3,5");
    Path others = Files.write(folder.resolve("others.csv"), lines);
    Path file = folder.resolve("shops.safetensors");
    Object[] training = {"--standardize", "--lr", 0.05, "--batch", 4, "--patience", 2, "--json"};
    Cli.Result together =
        train(with(training, "--data", grouped, "--group-by", "shop", "--validation", others, "--save", file));
    JsonObject report = JsonParser.parseString(together.out()).getAsJsonObject();
    assertEquals("not validated", report.getAsJsonArray("groups").get(0).getAsJsonObject().get("status").getAsString());
    for (int g = 1; g < 3; g++) {
      JsonObject group = report.getAsJsonArray("groups").get(g).getAsJsonObject();
      String name = group.get("group").getAsString();
      Path alone = folder.resolve("alone.safetensors");
      Object[] own = {"--data", rowsOf(name, grouped), "--validation", rowsOf(name, others), "--seed", g, "--save", alone};
      Cli.Result result = train(with(training, own));
      JsonObject expected = JsonParser.parseString(result.out()).getAsJsonObject();
      assertEquals(expected.get("validation_loss"), group.get("validation_loss"), name);
      assertEquals(expected.get("best_epoch"), group.get("best_epoch"), name);
      assertArrayEquals(Model.load(alone).parameters(), GroupedModels.load(file).models().get(g).parameters(), name);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "shop,a,b,price,c west,1,2,3,4 | .*others.csv has other columns than .*shops.csv; name and order them alike",
        "shop,a,b,c,price west,1,2,3,4 | .*others.csv has the group 'west' by shop, but .*shops.csv has not; leave its rows out",
        "town,a,b,c,price west,1,2,3,4 | .*others.csv.* no column 'shop'.*",
      })
  void refusesOtherFilesToValidateGroupsWith(String rows, String message) throws IOException {
    Path others = Files.write(folder.resolve("others.csv"), List.of(rows.strip().split(" ")));
    Cli.Result result = Cli.run("train", "--data", grouped, "--group-by", "shop", "--validation", others);
    assertEquals(ExitCode.INVALID, result.exitCode(), result.err());
    assertTrue(result.err().strip().matches(message.strip()), result.err());
    assertEquals(1, result.err().lines().count(), result.err());
  }

  @Test
  void refusesToValidateGroupsOfOneRow() throws IOException {
    Path singles = Files.write(folder.resolve("singles.csv"), List.of("shop,a,price", "north,1,2", "south,3,4"));
    Cli.Result result = Cli.run("train", "--data", singles, "--group-by", "shop", "--validation-split", 0.5);
    assertEquals(ExitCode.INVALID, result.exitCode(), result.err());
    assertEquals("ringstep train: no group by shop has two rows, so that none can be validated", result.err().strip());
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
        "--data SHOPS --group-by shop --standardize --batch 4 --validation-split 0.3 --patience 2 --ema 0.5",
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
        "--group-by shop --folds 2                              | .*--group-by goes with none of --folds, .*",
        "--group-by shop --loss bce                             | .*--group-by goes with none of .* --loss bce .*",
        "--group-by shop --patience 2                           | .*--patience needs --validation, .*",
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
