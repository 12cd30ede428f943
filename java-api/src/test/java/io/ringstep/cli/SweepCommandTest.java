package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepCommandTest {
  @TempDir Path folder;

  @Test
  void printsARankedTableAndSavesTheBest() throws IOException {
    Path data = Samples.csv(folder);
    Path best = folder.resolve("best.safetensors");
    Cli.Result result =
        Cli.run(
            "sweep", "--data", data, "--hidden", "0,4,8x4", "--activation", "relu,tanh", "--trials", 30, "--epochs", 30,
            "--top", 5, "--save", best);
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    String[] lines = result.out().split("\n");
    assertTrue(lines[2].contains("rank") && lines[2].contains("weight decay"), result.out());
    assertEquals("1", lines[3].strip().split(" +")[0]);
    assertEquals("5", lines[7].strip().split(" +")[0]);
    assertTrue(lines[8].startsWith("tried 30 settings, "), result.out());
    assertEquals(ExitCode.DONE, Cli.run("predict", "--model", best, "--data", data).exitCode());
  }

  @Test
  void printsOneLineOfJson() {
    Cli.Result result = Cli.run("sweep", "--trials", 6, "--epochs", 9, "--top", 2, "--json");
    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    JsonObject line = result.json();
    assertEquals(6, line.get("tried").getAsInt());
    assertEquals(2, line.getAsJsonArray("trials").size());
    JsonObject best = line.getAsJsonObject("best");
    assertEquals(best, line.getAsJsonArray("trials").get(0));
    assertEquals(5, best.getAsJsonArray("fold_losses").size());
  }

  @Test
  void saysWhatIsWrongInOneLine() throws IOException {
    Path data = Samples.csv(folder);
    refuses("'1..0'", "--lr", "1..0");
    refuses("'0..1'", "--lr", "0..1");
    refuses("'a' is neither a list", "--momentum", "a");
    refuses("--hidden x: give widths", "--hidden", "x");
    refuses("--hidden 0x3", "--hidden", "0x3");
    refuses("--folds must be at least 2", "--folds", "1");
    refuses("--folds 61 needs as many rows", "--data", data, "--folds", "61");
    refuses("--trials must be at least 1", "--trials", "0");
    refuses("no column 'nothing'", "--data", data, "--target", "nothing");
    refuses("would overwrite", "--data", data, "--save", data);
    refuses("no-such", "--data", folder.resolve("no-such.csv"));
    Cli.Result diverged = Cli.run("sweep", "--lr", "1e8", "--trials", 1, "--epochs", 9, "--quiet");
    assertEquals(ExitCode.FAILED, diverged.exitCode());
    assertTrue(diverged.err().contains("all settings diverged"), diverged.err());
    assertFalse(Files.exists(folder.resolve("best.safetensors")));
  }

  private static void refuses(String problem, Object... args) {
    Cli.Result result = Cli.run(Stream.concat(Stream.of("sweep", "--quiet"), Stream.of(args)).toArray());
    assertEquals(ExitCode.INVALID, result.exitCode(), problem + ": " + result.err());
    assertTrue(result.err().contains(problem), result.err());
    assertEquals(1, result.err().lines().count(), result.err());
  }
}
