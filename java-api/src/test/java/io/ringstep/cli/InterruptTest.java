package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Checkpoint;
import io.ringstep.Model;
import io.ringstep.internal.ModelFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ctrl-C, and what a scheduler sends, in processes of their own. */
@Timeout(60)
class InterruptTest {
  private static final Duration PROMPT = Duration.ofSeconds(1);

  @TempDir Path folder;

  private Map<String, String> environment = Map.of();

  @Test
  void savesWhatIsTrainedSoFarOnCtrlC() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Stopped stopped = trainAndSignal("INT", "--save", saved);

    assertEquals(130, stopped.exitCode);
    assertTrue(
        stopped.err.matches("ringstep train: interrupted after [1-9][0-9]* steps; saved " + saved + "\n"),
        stopped.err);
    assertTrue(stopped.duration.compareTo(PROMPT) < 0, stopped.duration.toString());
    assertEquals(List.of(saved), files());
    assertFalse(Arrays.equals(initialWeights(), Model.load(saved).parameters()));
  }

  @Test
  void savesWhatIsTrainedSoFarOnTermination() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Stopped stopped = trainAndSignal("TERM", "--save", saved);

    assertEquals(143, stopped.exitCode);
    assertTrue(stopped.err.contains("; saved " + saved + "\n"), stopped.err);
    assertEquals(List.of(saved), files());
  }

  @Test
  void stopsWithNothingToSave() throws Exception {
    Stopped stopped = trainAndSignal("INT");

    assertEquals(130, stopped.exitCode);
    assertTrue(stopped.err.endsWith(" steps; nothing saved\n"), stopped.err);
    assertTrue(stopped.duration.compareTo(PROMPT) < 0, stopped.duration.toString());
  }

  @Test
  void savesAllModelsThatTrainSideBySide() throws Exception {
    Path stack = folder.resolve("stack.safetensors");
    trainAndSignal("INT", "--models", 3, "--save", stack);
    List<Model> models = ModelFile.loadAll(stack);
    assertEquals(3, models.size());
    assertFalse(Arrays.equals(initialWeights(), models.get(0).parameters()));
  }

  @Test
  void savesOnlyModelsThatWereBegun() throws Exception {
    // Fewer models than ranks train one after the other where their weights are averaged.
    Path second = Files.writeString(folder.resolve("1"), "kept");
    Stopped stopped =
        signal(
            "INT", Duration.ofSeconds(3), "launch", "--nproc", 3, "--", "train", "--epochs", Integer.MAX_VALUE, "--models", 2,
            "--ema", 0.9, "--save", folder.resolve("0") + "," + second);
    assertTrue(stopped.err.contains("; saved " + folder.resolve("0") + "\n"), () -> "printed: " + stopped.err);
    assertEquals("kept", Files.readString(second));
  }

  @Test
  void savesAllModelsThatAreAveragedAndValidated() throws Exception {
    Path first = folder.resolve("0");
    Path second = folder.resolve("1");
    Stopped stopped =
        trainAndSignal(
            "INT", "--models", 2, "--ema", 0.9, "--validation-split", 0.2, "--patience", Integer.MAX_VALUE, "--save",
            first + "," + second);
    assertTrue(stopped.err.endsWith("; saved " + first + ", " + second + "\n"), stopped.err);
    assertFalse(Arrays.equals(initialWeights(), Model.load(first).parameters()));
    assertFalse(Arrays.equals(Model.load(first).parameters(), Model.load(second).parameters()));
  }

  @Test
  void waitsForACheckpointThatIsBeingWritten() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Path checkpoints = folder.resolve("checkpoints");
    environment = SlowDisk.of(1200, Files.createDirectory(folder.resolve("library")));
    Stopped stopped = trainAndSignal("INT", "--checkpoint", checkpoints, "--checkpoint-every", 1, "--save", saved);
    assertEquals(130, stopped.exitCode);
    assertTrue(stopped.err.endsWith(" steps; saved " + saved + "\n"), stopped.err);
    assertArrayEquals(
        Checkpoint.latest(checkpoints).orElseThrow().model().parameters(), Model.load(saved).parameters());
  }

  private record Stopped(int exitCode, String err, Duration duration) {}

  /** Trains for days, but for a signal soon after the beginning. */
  private Stopped trainAndSignal(String signal, Object... options) throws Exception {
    List<Object> args = new ArrayList<>(List.of("train", "--epochs", Integer.MAX_VALUE));
    args.addAll(List.of(options));
    return signal(signal, Duration.ofMillis(500), args.toArray());
  }

  /** @param begun until when after it has said where it trains it surely does */
  private Stopped signal(String signal, Duration begun, Object... args) throws Exception {
    ProcessBuilder builder = Cli.process(args);
    builder.environment().putAll(environment);
    Process process = builder.start();
    try {
      awaitTraining(process, begun);
      long begin = System.nanoTime();
      new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
      Duration duration = Duration.ofNanos(System.nanoTime() - begin);
      return new Stopped(process.exitValue(), Cli.text(process.getErrorStream()), duration);
    } finally {
      process.destroyForcibly();
    }
  }

  private static void awaitTraining(Process process, Duration begun) throws Exception {
    BufferedReader out = process.inputReader();
    String line = out.readLine();
    while (line != null && !line.startsWith("device ")) {
      line = out.readLine();
    }
    Thread.sleep(begun.toMillis());
  }

  private float[] initialWeights() throws IOException {
    Path file = folder.resolve("initial.safetensors");
    Cli.run("train", "--epochs", 1, "--lr", 0, "--quiet", "--save", file);
    float[] weights = Model.load(file).parameters();
    Files.delete(file);
    return weights;
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }
}
