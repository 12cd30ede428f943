package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code ringstep train}, the first thing a newcomer calls. */
class DiabetesExampleTest {
  /** Ordinary least squares in float64, by NumPy. */
  private static final double OPTIMUM = 2859.69634758675;

  @Test
  void reachesTheOptimumItPrints() {
    Cli.Result result = Cli.run("train");

    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    Matcher line =
        Pattern.compile(
                "mean squared error ([0-9.]+), least-squares optimum 2859\\.6963 \\(([0-9.]+) % (above|below)\\)\n")
            .matcher(result.out());
    assertTrue(line.find(), result.out());
    assertEquals(OPTIMUM, Double.parseDouble(line.group(1)), 1e-3 * OPTIMUM);
    assertTrue(Double.parseDouble(line.group(2)) < 0.1);
    assertTrue(result.out().contains("sgd, lr 0.02, momentum 0.9; batch 442, 2000 epochs, shuffled, seed 0"));
  }

  @Test
  void reachesTheOptimumFromAnySeed() {
    JsonObject report = Cli.run("train", "--models", 20, "--seed", 1000, "--quiet", "--json").json();
    for (JsonElement model : report.getAsJsonArray("models")) {
      assertEquals(OPTIMUM, model.getAsJsonObject().get("loss").getAsDouble(), 1e-4 * OPTIMUM);
    }
  }

  @Test
  void takesSettingsFromTheUser() {
    Cli.Result result =
        Cli.run("train", "--activation", "relu", "--optimizer", "adam", "--epochs", 3, "--target", "bmi");

    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertTrue(result.out().startsWith("training 10,20,1, relu, on the bundled diabetes table: 442 rows, "));
    assertTrue(result.out().contains("\nadam, lr 0.02; batch 442, 3 epochs, "), result.out());
    assertTrue(result.out().contains(", least-squares optimum "), result.out());
  }

  @Test
  void leavesNoFileBehind() throws Exception {
    Cli.run("train", "--epochs", 1);
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      assertEquals(0, files.filter(file -> file.toString().contains("ringstep-diabetes")).count());
    }
  }
}
