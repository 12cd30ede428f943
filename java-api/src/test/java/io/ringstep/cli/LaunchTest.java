package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The launcher and its processes, with ranks that train nothing. */
@Timeout(120)
class LaunchTest {
  private static final int DEADLINE_SECONDS = 8;

  /** A JVM's start and end on a busy machine beside the deadline. */
  private static final Duration BOUND = Duration.ofSeconds(DEADLINE_SECONDS + 20);

  @TempDir Path folder;

  private Processes.Running launch;
  private final List<Long> pids = new ArrayList<>();

  private void launch(int processes, int steps, int restarts, String script) throws IOException {
    Map<String, String> environment = new HashMap<>();
    environment.put("STAND_IN_FOLDER", folder.toString());
    environment.put("STAND_IN_STEPS", Integer.toString(steps));
    environment.put("STAND_IN_SCRIPT", script);
    launch =
        Processes.start(
            folder, environment, Processes.java(StandInLaunch.class), processes, DEADLINE_SECONDS, restarts);
    pids.add(launch.process.pid());
  }

  private long pidOf(int rank) throws Exception {
    return Processes.pid(folder.resolve("pid-" + rank));
  }

  private void awaitTraining(int processes) throws Exception {
    for (int rank = 0; rank < processes; rank++) {
      pids.add(pidOf(rank));
    }
  }

  @AfterEach
  void leavesNoProcess() throws Exception {
    try {
      Processes.assertGone(pids, Duration.ofSeconds(2));
    } finally {
      for (long pid : pids) {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
  }

  @Test
  void passesRankZerosOutputOnAsItIs() throws Exception {
    launch(3, 10, 0, "");
    awaitTraining(3);
    assertEquals(0, launch.await(BOUND), launch.err());
    assertEquals("progress\n{\"rank\":0}\n", launch.out());
    assertEquals(
        List.of("[rank 1] done", "[rank 2] done"), launch.err().lines().sorted().toList());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aRankThatIsKilledIsNamedByAll(int victim) throws Exception {
    launch(3, 100_000, 0, "");
    awaitTraining(3);
    Processes.signal("KILL", pidOf(victim));
    assertEquals(137, launch.await(BOUND));
    String name = "rank " + victim + " \\(.*, pid " + pidOf(victim) + "\\) was killed by signal 9 \\(SIGKILL\\)";
    assertNamed(3, victim, name);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2})
  void aRankThatIsStoppedIsNamedByAllWithinTheDeadline(int victim) throws Exception {
    launch(3, 100_000, 0, "");
    awaitTraining(3);
    long begin = System.nanoTime();
    Processes.signal("STOP", pidOf(victim));
    assertEquals(1, launch.await(BOUND));
    Duration taken = Duration.ofNanos(System.nanoTime() - begin);
    assertTrue(taken.compareTo(Duration.ofSeconds(DEADLINE_SECONDS)) < 0, taken.toString());
    assertNamed(
        3, victim,
        "rank " + victim + " \\(.*\\) has not been heard of for 4 s: it hangs, is stopped, or is cut off");
  }

  @Test
  void aRankThatNeverArrivesIsNamedByAll() throws Exception {
    launch(3, 10, 0, "0:1:never arrives");
    assertEquals(1, launch.await(BOUND));
    assertNamed(3, 1, "rank 1 of 3 did not arrive within 8 s; see that every rank .*");
  }

  @Test
  void aRankThatGivesUpIsNamedByAll() throws Exception {
    launch(3, 10, 0, "0:2:gives up");
    awaitTraining(3);
    assertEquals(1, launch.await(BOUND));
    assertNamed(3, 2, "rank 2 \\(.*\\) gave up: the disk is full");
  }

  /** Every survivor says it, and the launcher last. */
  private void assertNamed(int processes, int victim, String name) throws IOException {
    List<String> lines = launch.err().lines().toList();
    for (int rank = 0; rank < processes; rank++) {
      String prefix = rank == 0 ? "" : "\\[rank " + rank + "\\] ";
      int witness = rank;
      assertTrue(
          rank == victim || lines.stream().anyMatch(line -> line.matches(prefix + "stand-in: " + name)),
          () -> "rank " + witness + " in " + lines);
    }
    String last = lines.get(lines.size() - 1);
    assertTrue(last.matches("ringstep launch: " + name), last);
  }

  @Test
  void endsWithTheExitCodeOfTheFirstFailure() throws Exception {
    launch(3, 100_000, 0, "0:1:exits");
    awaitTraining(3);
    assertEquals(7, launch.await(BOUND));
    assertTrue(launch.err().lines().reduce((a, b) -> b).orElseThrow()
        .matches("ringstep launch: rank 1 \\(.*\\) ended with exit code 7"), launch.err());
  }

  @Test
  void aRankThatFailsBeforeItJoinsEndsAll() throws Exception {
    launch(2, 10, 3, "0:1:fails at once");
    assertEquals(2, launch.await(BOUND));
    // Exit code 2 says that the input is wrong: no restart would help.
    assertTrue(launch.err().contains("[rank 1] no such file\n"), launch.err());
    assertTrue(launch.err().endsWith("ringstep launch: rank 1 ended with exit code 2\n"), launch.err());
  }

  @Test
  void restartsTheGroup() throws Exception {
    launch(2, 10, 2, "0:1:exits");
    awaitTraining(2);
    Files.delete(folder.resolve("pid-0"));
    Files.delete(folder.resolve("pid-1"));
    assertEquals(0, launch.await(BOUND), launch.err());
    awaitTraining(2);
    assertTrue(launch.err().contains("ended with exit code 7; restart 1 of 2\n"), launch.err());
    assertEquals("progress\n{\"rank\":0}\n", launch.out());
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalEndsAll(String signal, int exitCode) throws Exception {
    launch(3, 100_000, 0, "");
    awaitTraining(3);
    Processes.signal(signal, launch.process.pid());
    assertEquals(exitCode, launch.await(BOUND));
  }

  @Test
  void noOrphanIsLeftWhenTheLauncherIsKilled() throws Exception {
    launch(3, 100_000, 0, "");
    awaitTraining(3);
    Processes.signal("KILL", launch.process.pid());
    Processes.assertGone(pids, Duration.ofSeconds(8));
    assertTrue(launch.err().contains("the launcher"), launch.err());
  }

  @Test
  void leavesNoFile() throws Exception {
    launch(2, 10, 0, "");
    awaitTraining(2);
    assertEquals(0, launch.await(BOUND));
    try (Stream<Path> files = Files.list(folder)) {
      assertTrue(
          files.map(file -> file.getFileName().toString()).allMatch(name -> name.matches("pid-[01]|(out|err).*\\.txt")));
    }
  }
}
