package io.ringstep.cli;

import io.ringstep.internal.rendezvous.Environment;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;

/** Ends a process of {@code ringstep launch} that has lost its launcher, even to SIGKILL. */
final class Orphan {
  private static final long LAST_WORDS_MILLIS = 5_000;

  private Orphan() {}

  /** Watches from now on, if this process was launched. */
  static void watch(InputStream in, PrintStream err) {
    if (Environment.isLaunched(System.getenv())) {
      start("ringstep-orphan", () -> awaitEnd(in, err));
    }
  }

  private static void awaitEnd(InputStream in, PrintStream err) {
    try {
      while (in.read() >= 0) {
        // The launcher never writes: the end of its pipe is what it says.
      }
    } catch (IOException e) {
      // As good as its end.
    }
    err.println("ringstep train: the launcher is gone; ending");
    // Files are finished and saved by the hooks; what hangs is not waited for.
    start(
        "ringstep-orphan-halt",
        () -> {
          try {
            Thread.sleep(LAST_WORDS_MILLIS);
          } catch (InterruptedException e) {
            // Then at once.
          }
          Runtime.getRuntime().halt(ExitCode.FAILED);
        });
    System.exit(ExitCode.FAILED);
  }

  private static void start(String name, Runnable run) {
    Thread thread = new Thread(run, name);
    thread.setDaemon(true);
    thread.start();
  }
}
