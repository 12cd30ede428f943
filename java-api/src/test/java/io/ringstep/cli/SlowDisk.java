package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A disk that takes its time over every {@code fsync}, for processes that a test starts. */
final class SlowDisk {
  private static final String SOURCE =
      """
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <unistd.h>
      int fsync(int file) {
        usleep(1000 * MILLIS);
        return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
      }
      """;

  private SlowDisk() {}

  /** Environment variables of such a process; of a test that is skipped where there is no C compiler, but not in CI. */
  static Map<String, String> of(int millis, Path folder) throws Exception {
    boolean compiler = isCompilerHere();
    assertTrue(compiler || System.getenv("CI") == null, "CI has a C compiler, but cc is not there");
    assumeTrue(compiler, "no C compiler");
    Path source = Files.writeString(folder.resolve("slow_disk.c"), SOURCE);
    Path library = folder.resolve("slow_disk.so");
    Process cc =
        new ProcessBuilder(
                "cc", "-shared", "-fPIC", "-DMILLIS=" + millis, source.toString(), "-o", library.toString(), "-ldl")
            .inheritIO()
            .start();
    assertEquals(0, cc.waitFor());
    return Map.of("LD_PRELOAD", library.toString());
  }

  private static boolean isCompilerHere() throws InterruptedException {
    try {
      return new ProcessBuilder("cc", "--version").redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
