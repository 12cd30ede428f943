package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Checkpoint;
import io.ringstep.Model;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A training that is killed again and again, and goes on each time. */
@Timeout(300)
class KillTest {
  private static final int KILLS = 100;
  private static final Object[] TRAINING = {
    "train", "--network", "10,8,1", "--activation", "tanh", "--optimizer", "adam", "--batch", 32, "--seed", 5, "--quiet"
  };

  @TempDir Path folder;

  private Object[] with(Object... options) {
    return Stream.concat(Stream.of(TRAINING), Stream.of(options)).toArray();
  }

  @Test
  void aHundredKillsLeaveAReadableCheckpointAndTheSameBits() throws Exception {
    Path directory = folder.resolve("checkpoints");
    Random random = new Random(1);
    long epoch = 0;
    for (int i = 0; i < KILLS; i++) {
      Processes.Running training =
          Processes.start(
              folder, Map.of(), Processes.java(Main.class),
              with("--epochs", 1_000_000, "--checkpoint", directory, "--checkpoint-every", 1, "--resume"));
      awaitNewerThan(epoch, directory, training);
      Thread.sleep(random.nextInt(20));
      training.process.destroyForcibly();
      assertEquals(137, training.await(Duration.ofSeconds(30)), training.err());
      assertEquals("", training.err());
      List<String> unreadable = new ArrayList<>();
      Checkpoint checkpoint = Checkpoint.latest(directory, e -> unreadable.add(e.getMessage())).orElseThrow();
      assertEquals(List.of(), unreadable, "after kill " + i);
      assertTrue(checkpoint.epoch() > epoch, "after kill " + i);
      epoch = checkpoint.epoch();
    }
    assertSameBits(directory, epoch + 7);
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(3, files.count(), "the last two and the lock");
    }
  }

  private void assertSameBits(Path directory, long epochs) {
    Path resumed = folder.resolve("resumed.safetensors");
    Path whole = folder.resolve("whole.safetensors");
    Cli.Result last = Cli.run(with("--epochs", epochs, "--checkpoint", directory, "--resume", "--save", resumed, "--json"));
    Cli.Result undisturbed = Cli.run(with("--epochs", epochs, "--save", whole, "--json"));
    assertEquals(0, last.exitCode(), last.err());
    assertEquals(0, undisturbed.exitCode(), undisturbed.err());
    assertArrayEquals(Model.load(whole).parameters(), Model.load(resumed).parameters());
    for (String field : List.of("steps", "epochs", "loss", "losses")) {
      assertEquals(undisturbed.json().get(field), last.json().get(field), field);
    }
  }

  private static void awaitNewerThan(long epoch, Path directory, Processes.Running training) throws Exception {
    // 442 rows in batches of 32 make 14 steps an epoch.
    String last = String.format("step-%012d.safetensors", 14 * epoch);
    while (newest(directory).compareTo(last) <= 0) {
      assertTrue(training.process.isAlive(), training::toString);
      Thread.sleep(2);
    }
  }

  private static String newest(Path directory) throws Exception {
    if (!Files.exists(directory)) {
      return "";
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith("step-"))
          .max(String::compareTo)
          .orElse("");
    }
  }
}
