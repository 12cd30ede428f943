package io.ringstep.cli;

import java.io.PrintStream;
import java.util.concurrent.TimeUnit;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A progress bar on the terminal, for runs long enough to wait for. */
final class ProgressDisplay implements AutoCloseable {
  private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(300);
  private static final int UPDATE_MILLIS = 100;
  private static final int WIDTH = 79;

  private final PrintStream terminal;
  private final long begin = System.nanoTime();
  private ProgressBar bar;

  /** @param terminal null to stay silent */
  private ProgressDisplay(PrintStream terminal) {
    this.terminal = terminal;
  }

  /** A bar on standard error, if that is a terminal and the user wants one. */
  static ProgressDisplay of(Console console, OutputOptions options) {
    return of(console, options.json, options.quiet);
  }

  static ProgressDisplay of(Console console, boolean json, boolean quiet) {
    boolean forProgram = json && !Terminal.isTerminal(Terminal.STDOUT);
    boolean wanted = !quiet && !forProgram && Terminal.isTerminal(Terminal.STDERR);
    return new ProgressDisplay(wanted ? console.err() : null);
  }

  /** @param loss of the last whole epoch; NaN before the first one ends */
  void update(long steps, long totalSteps, double loss) {
    if (terminal == null || bar == null && System.nanoTime() - begin < PATIENCE_NANOS) {
      return;
    }
    if (bar == null) {
      bar = create(totalSteps);
    }
    bar.stepTo(steps);
    if (!Double.isNaN(loss)) {
      bar.setExtraMessage(" loss " + Text.loss(loss));
    }
  }

  private ProgressBar create(long totalSteps) {
    // A consumer of fixed width keeps the library from loading JLine to ask the terminal.
    return new ProgressBarBuilder()
        .setTaskName("training")
        .setInitialMax(totalSteps)
        .setStyle(ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(UPDATE_MILLIS)
        .setConsumer(new ConsoleProgressBarConsumer(terminal, WIDTH))
        .build();
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
