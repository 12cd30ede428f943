package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Here nothing draws: the module that does is not on the class path. */
class ChartFilesTest {
  @Test
  void namesTheMissingModule(@TempDir Path folder) {
    for (String option : new String[] {"--plot", "--report"}) {
      Cli.Result result = Cli.run("train", option, folder.resolve("file.svg"));
      assertEquals(ExitCode.INVALID, result.exitCode());
      assertTrue(result.err().contains(option + " needs the module ringstep-plots"), result.err());
      assertEquals(1, result.err().lines().count());
    }
  }
}
