package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Backends;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SmokeCommandTest {
  @Test
  void checksThisMachineInATable() {
    Instant start = Instant.now();
    Cli.Result result = Cli.run("smoke");

    assertEquals(ExitCode.DONE, result.exitCode(), result.out() + result.err());
    List<String> lines = result.out().lines().collect(Collectors.toList());
    String counts = lines.remove(lines.size() - 1);
    assertTrue(counts.matches("\\d+ passed, 0 failed, \\d+ skipped"), counts);
    for (String line : lines) {
      assertTrue(line.matches("PASS +\\w+(:\\d+)?: .+|SKIP +\\w+.* \\(.+\\)"), line);
    }
    boolean gpu = Backends.report().get(1).available();
    assertEquals(gpu, lines.stream().anyMatch(line -> line.startsWith("PASS  cuda:0")), result.out());
    assertEquals(!gpu, lines.stream().anyMatch(line -> line.startsWith("SKIP  cuda ")), result.out());
    assertTrue(Duration.between(start, Instant.now()).toSeconds() < 60, "it took too long");
  }

  @Test
  void aFailureIsShownAndDecidesTheExitCode() {
    SmokeCheck.Result failed =
        new SmokeCheck("x", () -> { throw new SmokeCheck.Failure("two is not three"); }).run();
    SmokeCheck.Result broken = new SmokeCheck("x", () -> { throw new IllegalStateException("oh"); }).run();
    SmokeCheck.Result skipped = new SmokeCheck("x", () -> { throw new SmokeCheck.Skip("no GPU"); }).run();

    assertEquals(new SmokeCheck.Result(SmokeCheck.Outcome.FAIL, "two is not three"), failed);
    assertEquals(SmokeCheck.Outcome.FAIL, broken.outcome());
    assertTrue(broken.detail().contains("oh"));
    assertEquals(new SmokeCheck.Result(SmokeCheck.Outcome.SKIP, "(no GPU)"), skipped);
  }
}
