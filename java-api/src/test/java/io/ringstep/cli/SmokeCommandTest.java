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
    for (String check : List.of("all-reduce", "latency at 1 KB", "bandwidth at 16 MB", "training on the CPU", "scaling on the CPU")) {
      assertTrue(result.out().contains("PASS  collective: " + check + " "), check + " in " + result.out());
    }
    assertTrue(result.out().matches("(?s).*PASS  collective: latency at 1 KB +\\d threads, 1 KB in [0-9.]+ µs\n.*"), result.out());
    assertTrue(
        result.out().matches("(?s).*PASS  tcp: bandwidth at 16 MB +\\d ranks, 16 MB in [0-9.]+ ms: algorithm [0-9.]+ GB/s, bus .*"),
        result.out());
    assertTrue(
        result.out().matches("(?s).* a step of 65536 rows on 1 in [0-9.]+ ms(, \\d in [0-9.]+ ms \\([0-9.]+x\\))*\n.*"), result.out());
    boolean several = Backends.cudaDevices().size() > 1;
    assertEquals(several, lines.stream().anyMatch(line -> line.startsWith("PASS  gpus: topology")), result.out());
    assertEquals(!several, lines.stream().anyMatch(line -> line.startsWith("SKIP  gpus: topology")), result.out());
    assertTrue(Duration.between(start, Instant.now()).toSeconds() < 60, "it took too long");
  }

  @Test
  void whatTakesTwoGpusIsSkippedWithTheReason() {
    for (SmokeCheck check : CollectiveChecks.gpus("no CUDA driver", 0)) {
      assertEquals(new SmokeCheck.Result(SmokeCheck.Outcome.SKIP, "(no CUDA driver)"), check.run(), check.name());
    }
    for (SmokeCheck check : CollectiveChecks.gpus(null, 1)) {
      assertEquals(
          new SmokeCheck.Result(SmokeCheck.Outcome.SKIP, "(it takes two GPUs, and there is one)"), check.run(), check.name());
    }
    List<String> names = CollectiveChecks.gpus(null, 3).stream().map(SmokeCheck::name).toList();
    assertTrue(names.containsAll(List.of("gpus: cuda:0 to cuda:2", "gpus: cuda:2 to cuda:1", "gpus: nccl")), names.toString());
  }

  @Test
  void stepsAreScaledByDoublingUpToAll() {
    assertEquals(List.of(1), RankChecks.sizes(1));
    assertEquals(List.of(1, 2), RankChecks.sizes(2));
    assertEquals(List.of(1, 2, 4, 6), RankChecks.sizes(6));
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
