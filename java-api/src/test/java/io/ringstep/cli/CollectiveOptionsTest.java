package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.ringstep.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code --collective} and {@code --reduce}. */
@Timeout(180)
class CollectiveOptionsTest {
  private static final Duration BOUND = Duration.ofSeconds(90);
  private static final List<Object> TRAINING = List.of("train", "--epochs", 40, "--seed", 2);

  @TempDir Path folder;

  private static Object[] with(List<Object> first, Object... more) {
    List<Object> all = new ArrayList<>(first);
    all.addAll(List.of(more));
    return all.toArray();
  }

  private Processes.Running launch(Object... train) throws IOException {
    List<Object> command = new ArrayList<>(List.of("launch", "--nproc", 3, "--"));
    command.addAll(List.of(train));
    return Processes.start(folder, Map.of(), Processes.java(Main.class), command.toArray());
  }

  private float[] alone() {
    Path file = folder.resolve("alone.safetensors");
    Cli.Result result = Cli.run(with(TRAINING, "--save", file));
    assertEquals(0, result.exitCode(), result.err());
    return Model.load(file).parameters();
  }

  @Test
  void tcpIsTakenWhereNothingElseIsThere() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Processes.Running launch = launch(with(TRAINING, "--collective", "tcp", "--save", saved));
    assertEquals(0, launch.await(BOUND), launch.err());
    assertTrue((launch.out() + launch.err()).contains(", 3 ranks over tcp\n"), launch.out() + launch.err());
    assertArrayEquals(alone(), Model.load(saved).parameters());
  }

  @Test
  void floatsAreNear() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Processes.Running launch = launch(with(TRAINING, "--reduce", "float", "--save", saved));
    assertEquals(0, launch.await(BOUND), launch.err());
    assertArrayEquals(alone(), Model.load(saved).parameters(), 1e-4f);
  }

  /** MPICH has its own binary interface, and its own variables. */
  @Test
  void mpichStartsUsAsWeAre() throws Exception {
    assumeTrue(isHere("mpiexec.mpich"), "mpiexec.mpich is not installed");
    Path saved = folder.resolve("saved.safetensors");
    List<String> command = new ArrayList<>(List.of("mpiexec.mpich", "-n", "2"));
    command.addAll(Processes.java(Main.class));
    Processes.Running mpiexec = Processes.start(folder, Map.of(), command, with(TRAINING, "--collective", "mpi", "--save", saved));
    assertEquals(0, mpiexec.await(BOUND), mpiexec.err());
    assertTrue((mpiexec.out() + mpiexec.err()).contains(", 2 ranks over mpi"), mpiexec.out() + mpiexec.err());
    assertArrayEquals(alone(), Model.load(saved).parameters());
  }

  private static boolean isHere(String program) throws InterruptedException {
    try {
      return new ProcessBuilder(program, "--version").start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void threadsCannotCarryProcesses() throws Exception {
    Processes.Running launch = launch(with(TRAINING, "--collective", "local"));
    assertEquals(ExitCode.INVALID, launch.await(BOUND), launch.err());
    assertTrue(launch.err().contains("local needs ranks that are threads of one process; use tcp or mpi"), launch.err());
  }

  @Test
  void unknownWordsAreRefused() {
    for (String option : List.of("--collective", "--reduce")) {
      Cli.Result result = Cli.run("train", option, "pigeons");
      assertEquals(ExitCode.INVALID, result.exitCode());
      assertTrue(result.err().contains("'pigeons' is none of"), result.err());
    }
  }
}
