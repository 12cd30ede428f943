package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A JVM of its own: for what an environment variable or a JVM option decides. */
final class ChildJvm {
  private static final int TIMEOUT_SECONDS = 120;

  private final List<String> options = new ArrayList<>();
  private final Path directory;
  private String classPath = System.getProperty("java.class.path");
  private Map<String, String> environment = Map.of();

  /** A child to run in {@code directory}, with the class path of this JVM. */
  ChildJvm(Path directory) {
    this.directory = directory;
  }

  ChildJvm options(String... options) {
    this.options.addAll(List.of(options));
    return this;
  }

  ChildJvm alsoOnClassPath(Path folder) {
    classPath = folder + ":" + classPath;
    return this;
  }

  ChildJvm environment(Map<String, String> environment) {
    this.environment = environment;
    return this;
  }

  /** Runs {@code mainClass}, which must end with exit code 0, and returns what it printed. */
  String run(String mainClass, Object... args) throws IOException, InterruptedException {
    Path output = Files.createTempFile(directory, "output", ".txt");
    Process process = start(output, mainClass, args);
    try {
      boolean ended = process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      String printed = Files.readString(output);
      assertTrue(ended, () -> mainClass + " did not end; it printed: " + printed);
      assertEquals(0, process.exitValue(), printed);
      return printed;
    } finally {
      process.destroyForcibly();
    }
  }

  private Process start(Path output, String mainClass, Object... args) throws IOException {
    List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
    command.addAll(options);
    command.addAll(List.of("-cp", classPath, mainClass));
    for (Object arg : args) {
      command.add(arg.toString());
    }
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().putAll(environment);
    return builder.start();
  }
}
