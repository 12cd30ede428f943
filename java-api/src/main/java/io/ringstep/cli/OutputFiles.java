package io.ringstep.cli;

import io.ringstep.internal.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks of the files that a command is going to write. */
final class OutputFiles {
  private OutputFiles() {}

  /** Fails as writing {@code file} later would, but before the work; leaves everything as it was. */
  static void requireWritable(Path file) {
    boolean stream = Files.exists(file) && !Files.isRegularFile(file) && !Files.isDirectory(file);
    if (stream) {
      // Whoever reads a pipe would take the trial for its end.
      return;
    }
    try {
      AtomicFile.write(
          file,
          out -> {
            throw new Rehearsed();
          });
    } catch (IOException e) {
      if (!(e.getCause() instanceof Rehearsed)) {
        throw new UsageException(e.getMessage(), e);
      }
    }
  }

  /** Whether both names lead to one file that is there. */
  static boolean same(Path a, Path b) {
    try {
      return Files.isSameFile(a, b);
    } catch (IOException e) {
      return false;
    }
  }

  /** Stops the writing where it would succeed. */
  private static final class Rehearsed extends IOException {
    private static final long serialVersionUID = 1L;
  }
}
