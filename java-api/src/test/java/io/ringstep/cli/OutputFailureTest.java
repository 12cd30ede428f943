package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Disks that fill and readers that leave. */
@Timeout(60)
class OutputFailureTest {
  @TempDir Path folder;

  @Test
  void endsInOneLineWhenTheDiskFillsWhileSaving() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    boolean mounted = call("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk.toString());
    assumeTrue(mounted, "only root can mount a small disk");
    try {
      Path saved = disk.resolve("saved.safetensors");
      // 20,000 hidden units take a megabyte.
      Cli.Result result =
          Cli.run("train", "--network", "10,20000,1", "--epochs", 1, "--lr", 0, "--quiet", "--save", saved);

      assertEquals(ExitCode.FAILED, result.exitCode());
      assertEquals(
          "ringstep train: " + saved + ": No space left on device; free some space, or name a file elsewhere\n",
          result.err());
      try (Stream<Path> files = Files.list(disk)) {
        assertEquals(0, files.count());
      }
    } finally {
      assertTrue(call("umount", disk.toString()));
    }
  }

  @Test
  void endsInOneLineWhenSavingToFullDevice() {
    Cli.Result result = Cli.run("train", "--epochs", 1, "--quiet", "--save", "/dev/full");

    assertEquals(ExitCode.FAILED, result.exitCode());
    assertTrue(result.err().matches("ringstep train: /dev/full: No space left on device; .+\n"), result.err());
  }

  @Test
  void endsInOneLineWhenStandardOutputIsFull() throws Exception {
    Process process =
        Cli.process("train", "--epochs", 1, "--quiet", "--json")
            .redirectOutput(new File("/dev/full"))
            .start();

    String err = Cli.text(process.getErrorStream());
    assertEquals("ringstep train: No space left on device\n", err);
    assertEquals(ExitCode.FAILED, process.waitFor());
  }

  @Test
  void endsSilentlyWhenTheReaderLeaves() throws Exception {
    Path data = manyRows();
    Path model = folder.resolve("model.safetensors");
    Cli.run("train", "--data", data, "--epochs", 1, "--lr", 0, "--quiet", "--save", model);
    Process process = Cli.process("predict", "--model", model, "--data", data).start();

    try (BufferedReader out = process.inputReader()) {
      assertEquals("y", out.readLine());
    }

    assertEquals("", Cli.text(process.getErrorStream()));
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    assertEquals(ExitCode.READER_GONE, process.exitValue());
  }

  private Path manyRows() throws Exception {
    StringBuilder text = new StringBuilder("x,y\n");
    for (int row = 0; row < 100_000; row++) {
      text.append(String.format(Locale.ROOT, "%d.5,1%n", row % 1000));
    }
    return Files.writeString(folder.resolve("many.csv"), text);
  }

  private static boolean call(String... command) throws Exception {
    return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
  }
}
