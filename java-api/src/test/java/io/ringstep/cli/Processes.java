package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Processes that a test starts, watches and hurts. */
final class Processes {
  private Processes() {}

  /** A process whose output goes to files, so that it never waits for a reader. */
  static final class Running {
    final Process process;
    private final Path out;
    private final Path err;

    private Running(Process process, Path out, Path err) {
      this.process = process;
      this.out = out;
      this.err = err;
    }

    String out() throws IOException {
      return Files.readString(out);
    }

    String err() throws IOException {
      return Files.readString(err);
    }

    int await(Duration bound) throws Exception {
      boolean ended = process.waitFor(bound.toMillis(), TimeUnit.MILLISECONDS);
      assertTrue(ended, () -> "still running after " + bound + "; errors: " + quietly());
      return process.exitValue();
    }

    private String quietly() {
      try {
        return err();
      } catch (IOException e) {
        return e.toString();
      }
    }
  }

  /** JVM options for processes that live briefly. */
  static List<String> java(Class<?> main) {
    return List.of(
        System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
        "-Xmx64m", "-cp", System.getProperty("java.class.path"), main.getName());
  }

  static Running start(Path folder, Map<String, String> environment, List<String> command, Object... args)
      throws IOException {
    Path out = Files.createTempFile(folder, "out", ".txt");
    Path err = Files.createTempFile(folder, "err", ".txt");
    List<String> words = new ArrayList<>(List.of("env", "--default-signal=INT"));
    words.addAll(command);
    for (Object arg : args) {
      words.add(arg.toString());
    }
    ProcessBuilder builder = new ProcessBuilder(words).redirectOutput(out.toFile()).redirectError(err.toFile());
    builder.environment().putAll(environment);
    return new Running(builder.start(), out, err);
  }

  static void signal(String signal, long pid) throws Exception {
    assertEquals(0, new ProcessBuilder("kill", "-" + signal, Long.toString(pid)).start().waitFor());
  }

  /** Waits for a file that holds a process's id. */
  static long pid(Path file) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!Files.exists(file)) {
      assertTrue(System.nanoTime() < end, () -> file + " does not appear");
      Thread.sleep(10);
    }
    return Long.parseLong(Files.readString(file));
  }

  /** None of these processes may be there any more, at most so much later. */
  static void assertGone(List<Long> pids, Duration bound) throws Exception {
    long end = System.nanoTime() + bound.toNanos();
    while (pids.stream().anyMatch(Processes::isAlive)) {
      assertTrue(
          System.nanoTime() < end,
          () -> "still there: " + pids.stream().filter(Processes::isAlive).toList());
      Thread.sleep(20);
    }
  }

  private static boolean isAlive(long pid) {
    return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }
}
