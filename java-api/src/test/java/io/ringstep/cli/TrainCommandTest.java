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
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainCommandTest {
  @TempDir Path folder;

  private Path data;
  private Path saved;

  @BeforeEach
  void makeData() throws IOException {
    data = Samples.csv(folder);
    saved = folder.resolve("saved.safetensors");
  }

  @Test
  void doesWhatTheApiDoes() {
    JsonObject report =
        train(
                "--lr", 0.001, "--momentum", 0.5, "--batch", 7, "--epochs", 9, "--seed", 3, "--json",
                "--save", saved)
            .json();

    Network network = Network.of(3, 20, 1);
    try (Dataset rows = Dataset.read(data, 1);
        Trainer trainer =
            Trainer.builder(network).optimizer(new Sgd(0.001).withMomentum(0.5)).seed(3).build()) {
      FitResult fit = trainer.fit(rows, Fit.epochs(9).batch(7).shuffled(3));
      assertArrayEquals(trainer.parameters(), Model.load(saved).parameters());
      assertEquals(fit.steps(), report.get("steps").getAsLong());
      assertEquals(trainer.evaluate(rows), report.get("loss").getAsDouble());
      assertArrayEquals(fit.losses(), doubles(report, "losses"));
    }
  }

  @Test
  void printsTheJsonOfTheContract() {
    Cli.Result result = train("--json", "--epochs", 4, "--lr", 1e-4);
    JsonObject report = result.json();

    assertEquals(
        List.of("steps", "epochs", "loss", "losses", "samples_per_second", "device", "seconds"),
        List.copyOf(report.keySet()));
    assertTrue(result.out().matches("\\{.*}\n"), result.out());
    assertEquals(8, report.get("steps").getAsInt());
    assertEquals(4, report.get("epochs").getAsInt());
    assertEquals(4, report.getAsJsonArray("losses").size());
    assertEquals("cpu", report.get("device").getAsString());
    double samples = report.get("samples_per_second").getAsDouble() * report.get("seconds").getAsDouble();
    assertEquals(4 * 60, samples, 1e-6);
  }

  @Test
  void printsNothingWhenQuiet() {
    Cli.Result silent = train("--quiet", "--epochs", 1, "--lr", 1e-4, "--save", saved);
    Cli.Result json = train("--quiet", "--json", "--epochs", 1, "--lr", 1e-4);

    assertEquals("", silent.out() + silent.err());
    assertTrue(Files.exists(saved));
    assertEquals("", json.err());
    assertEquals(1, json.json().get("epochs").getAsInt());
  }

  @Test
  void tellsPeopleWhatItDoes() {
    Cli.Result result = train("--epochs", 2, "--lr", 1e-4, "--seed", 5, "--save", saved);

    List<String> lines = result.out().lines().toList();
    assertEquals(
        "training 3,20,1 (sized to the data), identity, on " + data + ": 60 rows, 3 inputs and 1 target",
        lines.get(0));
    assertEquals("sgd, lr 1.0E-4; batch 32, 2 epochs, shuffled, seed 5", lines.get(1));
    assertTrue(lines.get(2).matches("device cpu \\(.+\\): the work is too little for a GPU: .+"), lines.get(2));
    assertTrue(lines.get(3).matches("4 steps, 2 epochs in [0-9.]+ s: [0-9,]+ samples/s"), lines.get(3));
    assertTrue(lines.get(4).matches("mean squared error [0-9.]+"), lines.get(4));
    assertEquals("saved " + saved, lines.get(5));
    assertEquals("", result.err());
  }

  @Test
  void reportsStandardizedLossesInTheTargetsOwnUnits() throws IOException {
    JsonObject report =
        train("--standardize", "--epochs", 300, "--lr", 0.05, "--json", "--save", saved).json();

    Model model = Model.load(saved);
    double squares = 0;
    List<String> rows = Files.readAllLines(data);
    for (String row : rows.subList(1, rows.size())) {
      String[] cells = row.split(",");
      float[] x = {Float.parseFloat(cells[0]), Float.parseFloat(cells[1]), Float.parseFloat(cells[2])};
      squares += Math.pow(model.predict(x)[0] - Double.parseDouble(cells[3]), 2);
    }
    // The targets' variance is near 80; the law that made them leaves next to nothing.
    double loss = report.get("loss").getAsDouble();
    double[] losses = doubles(report, "losses");
    assertEquals(squares / (rows.size() - 1), loss, 1e-6);
    assertTrue(loss < 1e-4, "loss " + loss);
    assertTrue(losses[0] > 20 && losses[0] < 200, "first loss " + losses[0]);
    assertTrue(model.standardizer().isPresent());
    assertEquals(List.of("a", "b", "c"), model.inputNames());
    assertEquals(List.of("price"), model.targetNames());
  }

  @Test
  void goesOnFromModelAsItWasTrained() {
    train("--standardize", "--activation", "tanh", "--network", "3,8,1", "--epochs", 50, "--save", saved);
    Path more = folder.resolve("more.safetensors");
    Cli.Result result = train("--init", saved, "--epochs", 50, "--save", more);

    assertTrue(result.out().contains("training 3,8,1, tanh, "), result.out());
    assertTrue(result.out().contains("standardized as " + saved + " says"), result.out());
    Model first = Model.load(saved);
    Model second = Model.load(more);
    assertEquals(first.network(), second.network());
    assertEquals(first.standardizer(), second.standardizer());
    assertFalse(Arrays.equals(first.parameters(), second.parameters()));
  }

  @Test
  void letsOptionsOverruleTheInitialModel() {
    train("--activation", "tanh", "--lr", 1e-4, "--epochs", 1, "--save", saved);
    train("--init", saved, "--activation", "relu", "--lr", 1e-4, "--epochs", 1, "--save", saved);

    assertEquals(Activation.RELU, Model.load(saved).network().activation());
  }

  @Test
  void refusesInitialModelThatDoesNotFit() throws IOException {
    train("--epochs", 1, "--lr", 1e-4, "--save", saved);
    Path other = Files.writeString(folder.resolve("other.csv"), "b,a,c,price\n1,2,3,4\n");

    assertRefused(
        saved + " holds network 3,20,1, but --network is 3,8,1; .+",
        "train", "--data", data, "--init", saved, "--network", "3,8,1");
    assertRefused(
        "the bundled diabetes table has 10 inputs and 1 target, but network 3,20,1 takes 3 and gives 1; .+",
        "train", "--init", saved);
    Path standardized = folder.resolve("standardized.safetensors");
    train("--standardize", "--epochs", 1, "--save", standardized);
    assertRefused(".+diabetes table has 10 inputs .+", "train", "--init", standardized);
    assertRefused(
        other + " has the inputs b,a,c, but the initial model was trained on a,b,c; .+",
        "train", "--data", other, "--init", saved);
    assertRefused(
        saved + " holds 1 model, but --models is 2; .+",
        "train", "--data", data, "--init", saved, "--models", 2);
  }

  @Test
  void refusesInitialModelsThatDiffer() {
    Path other = folder.resolve("other.safetensors");
    train("--standardize", "--epochs", 1, "--save", saved);
    train("--epochs", 1, "--lr", 1e-4, "--save", other);
    Object[] both = {"train", "--data", data, "--models", 2, "--init", saved + "," + other};
    assertRefused(".+ were trained on differently standardized data; .+", both);

    train("--standardize", "--epochs", 1, "--activation", "relu", "--save", other);
    assertRefused(".+ hold different networks, 3,20,1 identity and 3,20,1 relu; .+", both);
  }

  @Test
  void trainsEveryModelAsIfAlone() {
    JsonObject report = train("--lr", 1e-4, "--models", 3, "--seed", 7, "--json", "--save", saved).json();
    List<Model> models = ModelFile.loadAll(saved);

    assertEquals(3, models.size());
    double sum = 0;
    for (int k = 0; k < 3; k++) {
      Path alone = folder.resolve("alone.safetensors");
      JsonObject one = train("--lr", 1e-4, "--seed", 7 + k, "--json", "--save", alone).json();
      assertArrayEquals(Model.load(alone).parameters(), models.get(k).parameters());
      JsonObject ofModel = report.getAsJsonArray("models").get(k).getAsJsonObject();
      assertEquals(one.get("loss"), ofModel.get("loss"));
      assertEquals(one.get("losses"), ofModel.get("losses"));
      assertEquals(one.get("steps"), report.get("steps"));
      sum += one.get("loss").getAsDouble();
    }
    assertEquals(sum / 3, report.get("loss").getAsDouble(), 1e-9 * sum);
    assertEquals(100, report.getAsJsonArray("losses").size());
  }

  @Test
  void takesTargetsByNameInTheirOrder() {
    train("--target", "price,b", "--lr", 1e-5, "--epochs", 1, "--save", saved);

    Model model = Model.load(saved);
    assertEquals(Network.of(2, 20, 2), model.network());
    assertEquals(List.of("price", "b"), model.targetNames());
    assertEquals(List.of("a", "c"), model.inputNames());
  }

  @Test
  void takesAnySeedOf64Bits() {
    List<float[]> weights = new ArrayList<>();
    for (String seed : List.of("-1", "18446744073709551615", "9223372036854775807")) {
      train("--seed", seed, "--lr", 0, "--epochs", 1, "--save", saved);
      weights.add(Model.load(saved).parameters());
    }
    assertArrayEquals(weights.get(0), weights.get(1));
    assertFalse(Arrays.equals(weights.get(0), weights.get(2)));
  }

  @Test
  void leavesModelAloneWhenTrainingDiverges() throws IOException {
    train("--lr", 1e-4, "--epochs", 1, "--save", saved);
    byte[] before = Files.readAllBytes(saved);

    Cli.Result result = Cli.run("train", "--data", data, "--lr", 1e6, "--json", "--save", saved);

    assertEquals(ExitCode.FAILED, result.exitCode());
    assertEquals("", result.out());
    String last = result.err().lines().reduce((a, b) -> b).orElseThrow();
    assertTrue(
        last.matches(
            "ringstep train: the loss became NaN or infinite at step [0-9]+; .+; " + saved
                + " left as it was"),
        last);
    assertArrayEquals(before, Files.readAllBytes(saved));
    try (var files = Files.list(folder)) {
      assertEquals(2, files.count());
    }
  }

  @Test
  void refusesFinalWeightsThatAreNotFinite() {
    // One step of a finite loss, with an update that leaves float32's range.
    Cli.Result result =
        Cli.run("train", "--data", data, "--lr", 1e38, "--batch", 60, "--epochs", 1, "--quiet", "--save", saved);

    assertEquals(ExitCode.FAILED, result.exitCode());
    assertTrue(result.err().contains("at step 2; "), result.err());
    assertFalse(Files.exists(saved));
  }

  @Test
  void helpTeachesEveryOptionOfTheContract() {
    String help = Cli.run("train", "--help").out();
    for (String option :
        List.of(
            "--data=FILE", "--target=COLUMN[,COLUMN]", "--network",
            "--activation=identity|relu|tanh|sigmoid", "--optimizer=sgd|adam|adamw", "--lr", "--momentum", "--nesterov", "--weight-decay", "--batch",
            "--epochs", "--[no-]shuffle", "--seed", "--standardize", "--models",
            "--device=auto|cpu|cuda|cuda:0,1", "--init", "--save", "--json", "--quiet", "Examples:", "Exit codes:")) {
      assertTrue(help.contains(option), option);
    }
    Defaults example = DiabetesExample.DEFAULTS;
    String settings = help.replaceAll("\\s+", " ");
    assertTrue(
        settings.contains(
            "at learning rate " + example.learningRate() + ", momentum " + example.momentum() + ", batch "
                + example.batch() + ", " + example.epochs() + " epochs"),
        settings);
  }

  private Cli.Result train(Object... options) {
    List<Object> args = new ArrayList<>(List.of("train", "--data", data));
    args.addAll(List.of(options));
    Cli.Result result = Cli.run(args.toArray());
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    return result;
  }

  private static void assertRefused(String problem, Object... args) {
    Cli.Result result = Cli.run(args);
    assertEquals(ExitCode.INVALID, result.exitCode());
    assertTrue(result.err().matches("ringstep train: " + problem + "\n"), result.err());
  }

  private static double[] doubles(JsonObject report, String key) {
    return report.getAsJsonArray(key).asList().stream().mapToDouble(e -> e.getAsDouble()).toArray();
  }
}
