package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.ringstep.Checkpoint;
import io.ringstep.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two hosts, each a network namespace, and the cable between them. */
@Timeout(120)
class NetworkCutTest {
  private static final String ID = Long.toString(ProcessHandle.current().pid() % 100_000);
  private static final String[] HOSTS = {"rs" + ID + "a", "rs" + ID + "b"};
  private static final String[] CABLE = {"rsv" + ID + "a", "rsv" + ID + "b"};
  private static final String[] ADDRESSES = {"10.203.77.1", "10.203.77.2"};

  private static final Duration DEADLINE = Duration.ofSeconds(8);

  @TempDir Path folder;

  private final List<Processes.Running> ranks = new ArrayList<>();

  @BeforeEach
  void connectTwoHosts() throws Exception {
    assumeTrue(
        tryRun("ip", "netns", "add", HOSTS[0]),
        "network namespaces cannot be made here: that takes 'ip' and root's rights");
    run("ip", "netns", "add", HOSTS[1]);
    run("ip", "link", "add", CABLE[0], "netns", HOSTS[0], "type", "veth", "peer", "name", CABLE[1], "netns", HOSTS[1]);
    for (int i = 0; i < 2; i++) {
      inside(i, "ip", "addr", "add", ADDRESSES[i] + "/24", "dev", CABLE[i]);
      inside(i, "ip", "link", "set", CABLE[i], "up");
      inside(i, "ip", "link", "set", "lo", "up");
    }
  }

  @AfterEach
  void leavesNothing() throws Exception {
    for (Processes.Running rank : ranks) {
      rank.process.destroyForcibly().waitFor();
    }
    for (String host : HOSTS) {
      tryRun("ip", "netns", "del", host);
    }
  }

  private Processes.Running start(int host, Map<String, String> environment, Object... args) throws IOException {
    List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", HOSTS[host]));
    command.addAll(Processes.java(Main.class));
    Processes.Running running = Processes.start(folder, environment, command, args);
    ranks.add(running);
    return running;
  }

  @Test
  void bothSidesNameTheOtherWithinTheDeadline() throws Exception {
    Path checkpoints = folder.resolve("checkpoints");
    for (int rank = 0; rank < 2; rank++) {
      start(
          rank, torchrun(rank), "train", "--batch", 150, "--epochs", Integer.MAX_VALUE, "--quiet", "--checkpoint", checkpoints,
          "--checkpoint-every", 20);
    }
    long patience = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (Checkpoint.latest(checkpoints).isEmpty()) {
      assertTrue(System.nanoTime() < patience, ranks.get(0).err());
      Thread.sleep(50);
    }
    long begin = System.nanoTime();
    inside(1, "ip", "link", "set", CABLE[1], "down");
    for (int rank = 0; rank < 2; rank++) {
      assertEquals(1, ranks.get(rank).await(Duration.ofSeconds(30)), ranks.get(rank).err());
    }
    Duration taken = Duration.ofNanos(System.nanoTime() - begin);
    assertTrue(taken.compareTo(DEADLINE) < 0, taken.toString());
    assertTrue(
        ranks.get(0).err().matches("ringstep train: rank 1 \\(.*\\) has not been heard of for 4 s: .*\n"), ranks.get(0).err());
    assertTrue(
        ranks.get(1).err().matches("ringstep train: rank 0 at 10.203.77.1:29555 has not been heard of for 4 s: .*\n"),
        ranks.get(1).err());
  }

  private static Map<String, String> torchrun(int rank) {
    return Map.of(
        "RANK", Integer.toString(rank), "WORLD_SIZE", "2", "LOCAL_RANK", "0", "MASTER_ADDR", ADDRESSES[0],
        "MASTER_PORT", "29555", "RINGSTEP_SECRET", "of both hosts", "RINGSTEP_DEADLINE",
        Long.toString(DEADLINE.toSeconds()));
  }

  @Test
  void twoLaunchersOnTwoHostsTrainAsOneProcess() throws Exception {
    Path saved = folder.resolve("saved.safetensors");
    Path alone = folder.resolve("alone.safetensors");
    List<Object> training = List.of("train", "--batch", 150, "--epochs", 50, "--quiet", "--save");
    for (int node = 0; node < 2; node++) {
      List<Object> launch =
          new ArrayList<>(
              List.of(
                  "launch", "--nproc", 2, "--nnodes", 2, "--node-rank", node, "--rendezvous", ADDRESSES[0] + ":29556", "--"));
      launch.addAll(training);
      launch.add(saved);
      start(node, Map.of("RINGSTEP_SECRET", "of both hosts"), launch.toArray());
    }
    for (Processes.Running launch : ranks) {
      assertEquals(0, launch.await(Duration.ofSeconds(60)), launch.err());
    }
    List<Object> single = new ArrayList<>(training);
    single.add(alone);
    assertEquals(0, Cli.run(single.toArray()).exitCode());
    assertArrayEquals(Model.load(alone).parameters(), Model.load(saved).parameters());
  }

  private static void inside(int host, String... command) throws Exception {
    List<String> words = new ArrayList<>(List.of("ip", "netns", "exec", HOSTS[host]));
    words.addAll(List.of(command));
    run(words.toArray(String[]::new));
  }

  private static void run(String... command) throws Exception {
    assertTrue(tryRun(command), () -> String.join(" ", command));
  }

  private static boolean tryRun(String... command) throws InterruptedException {
    try {
      return new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
