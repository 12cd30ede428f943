package io.ringstep.cli;

import io.ringstep.CollectiveException;
import io.ringstep.internal.rendezvous.Environment;
import io.ringstep.internal.rendezvous.HostPort;
import io.ringstep.internal.rendezvous.RendezvousServer;
import io.ringstep.internal.rendezvous.Secrets;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One run of {@code ringstep launch}: a group of processes, and another if that fails and may be restarted. */
final class Launch {
  private final LaunchCommand options;
  private final Console console;
  private final Class<?> main;
  private final String secret;
  private final Thread hook = new Thread(this::interrupted, "ringstep-launch-interrupts");
  private RankGroup group;
  private volatile boolean interrupted;

  Launch(LaunchCommand options, Console console) {
    this(options, console, Main.class);
  }

  /** @param main what each process runs */
  Launch(LaunchCommand options, Console console, Class<?> main) {
    this.options = options;
    this.console = console;
    this.main = main;
    String given = System.getenv().getOrDefault(Environment.SECRET, "");
    this.secret = given.isEmpty() ? Secrets.random() : given;
  }

  /** Runs it; the result is the exit code. */
  int run() throws IOException, InterruptedException {
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      int attempt = 0;
      RankGroup.Outcome outcome = attempt(attempt);
      while (mayRestart(outcome) && attempt < options.maxRestarts) {
        attempt++;
        say(outcome.reason() + "; restart " + attempt + " of " + options.maxRestarts);
        outcome = attempt(attempt);
      }
      if (outcome.exitCode() != ExitCode.DONE && !interrupted) {
        say(outcome.reason());
      }
      return outcome.exitCode();
    } finally {
      removeHook();
    }
  }

  /** What is wrong with the input will be wrong the next time too. */
  private boolean mayRestart(RankGroup.Outcome outcome) {
    return !interrupted && outcome.exitCode() != ExitCode.DONE && outcome.exitCode() != ExitCode.INVALID;
  }

  private RankGroup.Outcome attempt(int attempt) throws IOException, InterruptedException {
    HostPort address = options.address();
    RendezvousServer held = null;
    if (options.nodeRank == 0) {
      held = RendezvousServer.start(
          new RendezvousServer.Settings(
              address, System.getenv(Environment.LISTEN), worldSize(), secret, options.deadline(), attempt,
              CollectiveException.NO_RANK));
      address = new HostPort(address.host(), held.port());
    }
    try {
      return await(held, shared(address, attempt));
    } finally {
      if (held != null) {
        held.close();
      }
    }
  }

  private RankGroup.Outcome await(RendezvousServer held, Map<String, String> shared)
      throws IOException, InterruptedException {
    RankGroup started = new RankGroup(held);
    List<String> jvm = JvmCommand.of(main, processorsEach());
    begin(started);
    try {
      started.startAll(
          options.processes,
          localRank -> {
            if (interrupted) {
              throw new IOException("interrupted");
            }
            return RankProcess.start(
                rank(localRank), jvm, options.command, own(shared, localRank), console.err());
          });
      return started.await();
    } finally {
      started.end();
    }
  }

  private synchronized void begin(RankGroup started) {
    group = started;
  }

  private Map<String, String> shared(HostPort address, int attempt) {
    Map<String, String> variables = new LinkedHashMap<>();
    variables.put("WORLD_SIZE", Integer.toString(worldSize()));
    variables.put("LOCAL_WORLD_SIZE", Integer.toString(options.processes));
    variables.put(Environment.RENDEZVOUS, address.toString());
    variables.put(Environment.SECRET, secret);
    variables.put(Environment.DEADLINE, Double.toString(options.deadline().toMillis() / 1000.0));
    variables.put(Environment.ATTEMPT, Integer.toString(attempt));
    variables.put(Environment.LAUNCHED, "1");
    return variables;
  }

  private Map<String, String> own(Map<String, String> shared, int localRank) {
    Map<String, String> variables = new LinkedHashMap<>(shared);
    variables.put("RANK", Integer.toString(rank(localRank)));
    variables.put("LOCAL_RANK", Integer.toString(localRank));
    return variables;
  }

  private int worldSize() {
    return Math.multiplyExact(options.nodes, options.processes);
  }

  private int rank(int localRank) {
    return options.nodeRank * options.processes + localRank;
  }

  /** So that the processes' threads together are as many as there are processors. */
  private int processorsEach() {
    return Math.max(1, Runtime.getRuntime().availableProcessors() / options.processes);
  }

  /** SIGINT or SIGTERM: the ranks save what they have, and nothing is left when this process is gone. */
  private void interrupted() {
    interrupted = true;
    RankGroup running;
    synchronized (this) {
      running = group;
    }
    if (running != null) {
      running.end();
    }
  }

  private void removeHook() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The shutdown is under way, and the hook with it.
    }
  }

  private void say(String line) {
    console.err().println("ringstep launch: " + line);
  }
}
