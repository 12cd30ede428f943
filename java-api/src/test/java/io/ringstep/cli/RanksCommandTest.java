package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.ringstep.Checkpoint;
import io.ringstep.Model;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code ringstep train} as several processes, and what becomes of it when one is hurt. */
@Timeout(180)
class RanksCommandTest {
  /** Long enough for JVMs to start on a busy machine. */
  private static final int DEADLINE_SECONDS = 8;

  private static final Duration BOUND = Duration.ofSeconds(60);

  /** 442 rows: the last batch has 142, and no number of ranks divides either. */
  private static final Object[] DIABETES = {"train", "--batch", 150, "--optimizer", "adam", "--seed", 5, "--json"};

  @TempDir Path folder;

  private final List<Long> pids = new ArrayList<>();
  private final List<Processes.Running> started = new ArrayList<>();

  private static Object[] with(Object[] first, Object... more) {
    return Stream.concat(Arrays.stream(first), Arrays.stream(more)).toArray();
  }

  private Processes.Running start(Map<String, String> environment, Object... args) throws IOException {
    Processes.Running running = Processes.start(folder, environment, Processes.java(Main.class), args);
    started.add(running);
    pids.add(running.process.pid());
    return running;
  }

  private Processes.Running launch(int processes, Object[] launchOptions, Object... train) throws IOException {
    Object[] options = with(new Object[] {"launch", "--nproc", processes}, launchOptions);
    return start(Map.of(), with(with(options, "--"), train));
  }

  @AfterEach
  void leavesNothing() throws Exception {
    try {
      Processes.assertGone(pids, Duration.ofSeconds(2));
    } finally {
      for (long pid : pids) {
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
  }

  private static float[] alone(Path file, Object... command) {
    Cli.Result result = Cli.run(with(command, "--save", file));
    assertEquals(0, result.exitCode(), result.err());
    return Model.load(file).parameters();
  }

  // ---- the same bits ----

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 7})
  void theWeightsAreThoseOfOneProcess(int processes) throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Object[] training = with(DIABETES, "--epochs", 50);
    float[] expected = alone(folder.resolve("alone.safetensors"), training);
    Processes.Running launch = launch(processes, new Object[0], with(training, "--save", saved));
    assertEquals(0, launch.await(BOUND), launch.err());
    assertArrayEquals(expected, Model.load(saved).parameters());
    assertTrue(launch.out().matches("\\{\"steps\":150,.*}\n"), launch.out());
    assertEquals(processes > 1, launch.out().contains("\"ranks\":" + processes), launch.out());
    // What this host has is shared out, and none goes without.
    int each = Math.max(1, Runtime.getRuntime().availableProcessors() / processes);
    assertTrue(launch.err().contains(", " + each + (each == 1 ? " processor)" : " processors)")), launch.err());
  }

  @ParameterizedTest
  @CsvSource({"wide-relu-adamw, 2", "wide-relu-adamw, 3", "ragged-last-batch, 2", "relu-momentum-decay, 4"})
  void agreesWithPyTorch(String name, int processes) throws Exception {
    GoldenCase golden = GoldenCase.of(name);
    Object[] training = with(golden.command().toArray(), "--init", golden.file("init.safetensors"));
    Path saved = folder.resolve("saved.safetensors");
    Processes.Running launch = launch(processes, new Object[0], with(training, "--save", saved));
    assertEquals(0, launch.await(BOUND), launch.err());
    golden.assertAgrees(Model.load(golden.file("expected.safetensors")), Model.load(saved));
    assertArrayEquals(alone(folder.resolve("alone.safetensors"), training), Model.load(saved).parameters());
  }

  @Test
  void mpirunStartsUsAsWeAre() throws Exception {
    boolean here = isMpiHere();
    assertTrue(here || System.getenv("CI") == null, "CI has Open MPI, which ci/setup installs, but mpirun is not there");
    assumeTrue(here, "mpirun is not installed");
    Path saved = folder.resolve("saved.safetensors");
    Object[] training = with(DIABETES, "--epochs", 50);
    List<String> command =
        new ArrayList<>(List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "3"));
    command.addAll(Processes.java(Main.class));
    Processes.Running mpirun = Processes.start(folder, Map.of(), command, with(training, "--save", saved));
    started.add(mpirun);
    pids.add(mpirun.process.pid());
    assertEquals(0, mpirun.await(BOUND), mpirun.err());
    assertArrayEquals(
        alone(folder.resolve("alone.safetensors"), training), Model.load(saved).parameters());
    assertTrue(mpirun.err().contains(", 3 ranks over mpi\n"), mpirun.err());
  }

  private static boolean isMpiHere() throws InterruptedException {
    try {
      return new ProcessBuilder("mpirun", "--version").start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  // ---- failures amid training ----

  /** Starts a training that would last for days, and waits until all ranks are amid it. */
  private Processes.Running launchEndless(int processes, Path checkpoints) throws Exception {
    Processes.Running launch =
        launch(
            processes, new Object[] {"--deadline", DEADLINE_SECONDS},
            with(DIABETES, "--epochs", Integer.MAX_VALUE, "--checkpoint", checkpoints, "--checkpoint-every", 20));
    awaitCheckpoint(checkpoints, launch);
    pids.addAll(ranksOf(launch).values());
    return launch;
  }

  private static void awaitCheckpoint(Path checkpoints, Processes.Running launch) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (Checkpoint.latest(checkpoints).isEmpty()) {
      assertTrue(launch.process.isAlive() && System.nanoTime() < end, launch.err());
      Thread.sleep(20);
    }
  }

  private static Map<Integer, Long> ranksOf(Processes.Running launch) throws IOException {
    Map<Integer, Long> ranks = new TreeMap<>();
    for (ProcessHandle child : launch.process.children().toList()) {
      for (String variable : Files.readString(Path.of("/proc/" + child.pid() + "/environ")).split("\0")) {
        if (variable.startsWith("RANK=")) {
          ranks.put(Integer.valueOf(variable.substring("RANK=".length())), child.pid());
        }
      }
    }
    return ranks;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aRankThatIsKilledIsNamedByAll(int victim) throws Exception {
    Path checkpoints = folder.resolve("checkpoints");
    Processes.Running launch = launchEndless(3, checkpoints);
    Processes.signal("KILL", ranksOf(launch).get(victim));
    assertEquals(137, launch.await(BOUND), launch.err());
    assertNamed(launch, 3, victim, "rank " + victim + " \\(.*\\) was killed by signal 9 \\(SIGKILL\\)");
    assertTrue(Checkpoint.latest(checkpoints).isPresent());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void aRankThatIsStoppedIsNamedByAllWithinTheDeadline(int victim) throws Exception {
    Processes.Running launch = launchEndless(3, folder.resolve("checkpoints"));
    long begin = System.nanoTime();
    Processes.signal("STOP", ranksOf(launch).get(victim));
    assertEquals(1, launch.await(BOUND), launch.err());
    Duration taken = Duration.ofNanos(System.nanoTime() - begin);
    assertTrue(taken.compareTo(Duration.ofSeconds(DEADLINE_SECONDS)) < 0, taken.toString());
    assertNamed(launch, 3, victim, "rank " + victim + " \\(.*\\) has not been heard of for 4 s: it hangs, .*");
  }

  private static void assertNamed(Processes.Running launch, int processes, int victim, String name) throws IOException {
    List<String> lines = launch.err().lines().toList();
    for (int rank = 0; rank < processes; rank++) {
      String prefix = rank == 0 ? "" : "\\[rank " + rank + "\\] ";
      int witness = rank;
      assertTrue(
          rank == victim || lines.stream().anyMatch(line -> line.matches(prefix + "ringstep train: " + name)),
          () -> "rank " + witness + " in " + lines);
    }
    String last = lines.get(lines.size() - 1);
    assertTrue(last.matches("ringstep launch: " + name), last);
  }

  @Test
  void aGroupWithAKilledRankIsRestartedAndEndsWithTheSameBits() throws Exception {
    Path checkpoints = folder.resolve("checkpoints");
    Path saved = folder.resolve("saved.safetensors");
    Object[] training = with(DIABETES, "--epochs", 1000);
    Processes.Running launch =
        launch(
            3, new Object[] {"--max-restarts", 2},
            with(training, "--checkpoint", checkpoints, "--checkpoint-every", 1, "--save", saved));
    awaitCheckpoint(checkpoints, launch);
    Map<Integer, Long> ranks = ranksOf(launch);
    pids.addAll(ranks.values());
    Processes.signal("KILL", ranks.get(1));
    assertEquals(0, launch.await(BOUND), launch.err());
    assertTrue(launch.err().contains("was killed by signal 9 (SIGKILL); restart 1 of 2\n"), launch.err());
    assertTrue(launch.err().contains("resuming from " + checkpoints), launch.err());
    assertArrayEquals(
        alone(folder.resolve("alone.safetensors"), training), Model.load(saved).parameters());
  }

  @Test
  void ctrlCSavesWhatIsTrainedSoFar() throws Exception {
    ctrlCSaves(2, Map.of());
  }

  /** Longer than an interrupted step, than an orphan's last words, and than what a failed group has left. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void ctrlCSavesAmidASlowWrite(int processes) throws Exception {
    ctrlCSaves(processes, SlowDisk.of(2700, folder));
  }

  /** With a checkpoint after each epoch, rank 0 does little else than write. */
  private void ctrlCSaves(int processes, Map<String, String> environment) throws Exception {
    Path checkpoints = folder.resolve("checkpoints");
    Path saved = folder.resolve("saved.safetensors");
    Object[] launched =
        with(
            new Object[] {"launch", "--nproc", processes, "--"},
            with(DIABETES, "--epochs", Integer.MAX_VALUE, "--checkpoint", checkpoints, "--checkpoint-every", 1, "--save", saved));
    Processes.Running launch = start(environment, launched);
    awaitCheckpoint(checkpoints, launch);
    pids.addAll(ranksOf(launch).values());
    Processes.signal("INT", launch.process.pid());
    assertEquals(130, launch.await(BOUND), launch.err());
    assertTrue(
        launch.err().matches(
            "(?s)training [^\n]*\nadam[^\n]*\ndevice [^\n]*\nringstep train: interrupted after [0-9]+ steps; saved " + saved + "\n"),
        launch.err());
    assertArrayEquals(
        Checkpoint.latest(checkpoints).orElseThrow().model().parameters(), Model.load(saved).parameters());
    assertFalse(hasUnfinished(checkpoints), "a half-written file is left");
  }

  private static boolean hasUnfinished(Path checkpoints) throws IOException {
    try (Stream<Path> files = Files.list(checkpoints)) {
      return files.anyMatch(file -> file.toString().endsWith(".tmp"));
    }
  }

  // ---- ranks that were started by other means ----

  private Map<String, String> torchrun(int rank, int worldSize, int port) {
    Map<String, String> environment = new HashMap<>();
    environment.put("RANK", Integer.toString(rank));
    environment.put("WORLD_SIZE", Integer.toString(worldSize));
    environment.put("MASTER_ADDR", "localhost");
    environment.put("MASTER_PORT", Integer.toString(port));
    environment.put("RINGSTEP_DEADLINE", Integer.toString(DEADLINE_SECONDS));
    return environment;
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  @Test
  void otherDataIsNamedByAll() throws Exception {
    Path data = folder.resolve("data.csv");
    Files.writeString(data, "a,y\n" + "1,2\n3,4\n".repeat(100));
    Path more = folder.resolve("more.csv");
    Files.writeString(more, "a,y\n" + "1,2\n3,4\n".repeat(101));
    int port = freePort();
    for (int rank = 0; rank < 3; rank++) {
      start(torchrun(rank, 3, port), "train", "--data", rank == 1 ? more : data, "--network", "1,4,1");
    }
    for (Processes.Running rank : started) {
      assertEquals(2, rank.await(BOUND), rank.err());
      assertTrue(
          rank.err().matches(
              "ringstep train: rank 1 has rows 202, data checksum [0-9a-f]+ where rank 0 has rows 200, data checksum [0-9a-f]+; start all ranks alike\n"),
          rank.err());
    }
  }

  @Test
  void aRankThatNeverArrivesIsNamedByAll() throws Exception {
    int port = freePort();
    start(torchrun(0, 3, port), DIABETES);
    start(torchrun(2, 3, port), DIABETES);
    for (Processes.Running rank : started) {
      assertEquals(1, rank.await(BOUND), rank.err());
      assertTrue(
          rank.err().matches("ringstep train: rank 1 of 3 did not arrive within 8 s; .*\n"), rank.err());
    }
  }

  @Test
  void aWrongSecretAndATakenPortAreNamed() throws Exception {
    int port = freePort();
    Map<String, String> first = torchrun(0, 2, port);
    first.put("RINGSTEP_SECRET", "right");
    Map<String, String> second = torchrun(1, 2, port);
    second.put("RINGSTEP_SECRET", "wrong");
    start(first, DIABETES);
    Processes.Running stranger = start(second, DIABETES);
    assertEquals(2, stranger.await(BOUND));
    assertEquals(
        "ringstep train: the rendezvous localhost:" + port
            + " refused rank 1: the secret differs; give all ranks the same RINGSTEP_SECRET\n",
        stranger.err());
    Processes.Running late = start(first, DIABETES);
    assertEquals(1, late.await(BOUND));
    assertTrue(
        late.err().startsWith("ringstep train: the rendezvous port localhost:" + port + " is taken by another program"),
        late.err());
    assertEquals(1, started.get(0).await(BOUND));
    assertTrue(started.get(0).err().endsWith("; refused meanwhile: 1 with another secret\n"), started.get(0).err());
  }

  @Test
  void launchSaysWhatIsWrongWithTheCallOnce() {
    assertRefused("launch what\\? End with '-- train' .*", "launch", "--nproc", 2);
    assertRefused("launch what\\? .*", "launch", "--nproc", 2, "--", "predict");
    assertRefused("--nproc must be at least 1, but is 0", "launch", "--nproc", 0, "--", "train");
    assertRefused("--nnodes 2 needs --rendezvous HOST:PORT, .*", "launch", "--nproc", 1, "--nnodes", 2, "--", "train");
    assertRefused(
        "--node-rank 2 must be from 0 to 1, .*", "launch", "--nproc", 1, "--nnodes", 2, "--node-rank", 2, "--", "train");
    assertRefused(
        "--nnodes 2 needs the job's secret in RINGSTEP_SECRET, .*",
        "launch", "--nproc", 1, "--nnodes", 2, "--rendezvous", "a:1", "--", "train");
    assertRefused("'a' is not the address of a rendezvous; .*", "launch", "--nproc", 1, "--rendezvous", "a", "--", "train");
    assertRefused(
        "--max-restarts needs the training's --checkpoint DIR, to go on from",
        "launch", "--nproc", 1, "--max-restarts", 1, "--", "train");
    assertRefused("RINGSTEP_DEADLINE is 'soon', .*", "launch", "--nproc", 1, "--deadline", "soon", "--", "train");
    assertRefused("--batch must be at least 1, but is 0", "launch", "--nproc", 2, "--", "train", "--batch", 0);
  }

  private static void assertRefused(String reason, Object... args) {
    Cli.Result result = Cli.run(args);
    assertEquals(2, result.exitCode(), result.err());
    assertTrue(result.err().matches("ringstep launch: " + reason + "\n"), result.err());
  }
}
