package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The bar, on a terminal that {@code script} plays and elsewhere. */
@Timeout(60)
class ProgressDisplayTest {
  private static final Object[] LONG = {"train", "--epochs", 100_000};

  @Test
  void showsBarOnTerminal() throws Exception {
    assertTrue(onTerminal(LONG).contains("\rtraining"), "no bar");
  }

  @Test
  void showsNoBarWhenQuietOrQuick() throws Exception {
    assertFalse(onTerminal("train", "--epochs", 100_000, "--quiet").contains("\rtraining"));
    assertFalse(onTerminal("train", "--epochs", 10).contains("\rtraining"));
  }

  @Test
  void showsNoBarElsewhere() throws Exception {
    Process process = Cli.process(LONG).start();
    assertEquals("", Cli.text(process.getErrorStream()));
    assertEquals(ExitCode.DONE, process.waitFor());
  }

  private static String onTerminal(Object... args) throws IOException, InterruptedException {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "needs script, of the package bsdutils");
    List<String> command = Cli.process(args).command();
    String line = command.stream().map(word -> "'" + word + "'").collect(Collectors.joining(" "));
    Process process =
        new ProcessBuilder("script", "--quiet", "--return", "--command", line, "/dev/null").start();
    process.getOutputStream().close();
    String shown = Cli.text(process.getInputStream());
    assertEquals(ExitCode.DONE, process.waitFor(), shown);
    return shown;
  }
}
