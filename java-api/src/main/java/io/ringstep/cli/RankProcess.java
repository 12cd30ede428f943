package io.ringstep.cli;

import io.ringstep.internal.rendezvous.Environment;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * One process of a launch. Rank 0 has this process's output and errors as its own; what others print is
 * printed to standard error, each line with its rank. Standard input is a pipe that nobody writes to: its
 * end tells the child that this process is gone, however that came.
 */
final class RankProcess {
  private static final int SIGNALLED = 128;
  private static final Map<Integer, String> SIGNALS =
      Map.of(1, "SIGHUP", 2, "SIGINT", 3, "SIGQUIT", 4, "SIGILL", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11, "SIGSEGV", 15, "SIGTERM");

  private final int rank;
  private final Process process;
  private final Thread printer;
  private volatile boolean ended;

  private RankProcess(int rank, Process process, Thread printer) {
    this.rank = rank;
    this.process = process;
    this.printer = printer;
  }

  /** @param variables in addition to this process's own */
  static RankProcess start(
      int rank, List<String> jvm, List<String> args, Map<String, String> variables, PrintStream err)
      throws IOException {
    List<String> command = new ArrayList<>(jvm);
    command.addAll(args);
    ProcessBuilder builder = new ProcessBuilder(command);
    // Another launcher's words for where to meet would win, or contradict ours.
    builder.environment().keySet().removeAll(List.of("MASTER_ADDR", "MASTER_PORT", Environment.LISTEN));
    builder.environment().putAll(variables);
    if (rank == 0) {
      builder.redirectOutput(ProcessBuilder.Redirect.INHERIT).redirectError(ProcessBuilder.Redirect.INHERIT);
    } else {
      builder.redirectErrorStream(true);
    }
    Process process = builder.start();
    Thread printer = null;
    if (rank != 0) {
      printer = new Thread(() -> print(process, rank, err), "ringstep-output-" + rank);
      printer.setDaemon(true);
      printer.start();
    }
    return new RankProcess(rank, process, printer);
  }

  private static void print(Process process, int rank, PrintStream err) {
    try (BufferedReader lines = process.inputReader()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        err.println("[rank " + rank + "] " + line);
      }
    } catch (IOException e) {
      // The process is gone.
    }
  }

  int rank() {
    return rank;
  }

  CompletableFuture<RankProcess> onExit() {
    return process.onExit().thenApply(exited -> this);
  }

  boolean isAlive() {
    return process.isAlive();
  }

  int exitCode() {
    return process.exitValue();
  }

  /** For example {@code was killed by signal 9 (SIGKILL)}. */
  String howItEnded() {
    int code = exitCode();
    return code > SIGNALLED
        ? "was killed by signal " + (code - SIGNALLED)
            + (SIGNALS.containsKey(code - SIGNALLED) ? " (" + SIGNALS.get(code - SIGNALLED) + ")" : "")
        : "ended with exit code " + code;
  }

  /** Whether this process ended it. */
  boolean wasEnded() {
    return ended;
  }

  /**
   * Asks it to end; one that is stopped does not hear it. By its handle, as {@link Process#destroy} would close
   * its pipes too: its last words would be lost, and it would take this process for gone.
   */
  void terminate() {
    if (process.isAlive()) {
      ended = true;
      process.toHandle().destroy();
    }
  }

  void kill() {
    if (process.isAlive()) {
      ended = true;
      process.destroyForcibly();
    }
  }

  /** Waits until its last words are printed. */
  void awaitOutput() throws InterruptedException {
    if (printer != null) {
      printer.join(2_000);
    }
  }
}
