package io.ringstep.cli;

import io.ringstep.InvalidDataException;
import io.ringstep.RankMismatchException;
import io.ringstep.RingstepException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns whatever ended a command into one line on standard error, and an exit code. */
final class OneLineErrors {
  private final PrintStream err;

  OneLineErrors(PrintStream err) {
    this.err = err;
  }

  /**
   * Reports a failure.
   *
   * @param command the command that was running
   * @param verbose whether to show the stack trace too
   * @return the exit code
   */
  int report(Throwable failure, CommandLine command, boolean verbose) {
    if (isReaderGone(failure)) {
      return ExitCode.READER_GONE;
    }
    CommandLine failed = failure instanceof ParameterException e ? e.getCommandLine() : command;
    String name = failed.getCommandSpec().qualifiedName();
    // Names and values come from outside: no line break or terminal escape of theirs gets through.
    err.println(name + ": " + text(failure, name).replaceAll("[\\p{Cc}\\u2028\\u2029]", "?"));
    if (verbose) {
      failure.printStackTrace(err);
    }
    return exitCode(failure);
  }

  /** Only standard output's own failure has no file in its message. */
  private static boolean isReaderGone(Throwable failure) {
    return failure instanceof IOException && "Broken pipe".equals(failure.getMessage());
  }

  private static int exitCode(Throwable failure) {
    boolean invalid =
        failure instanceof ParameterException
            || failure instanceof UsageException
            || failure instanceof InvalidDataException
            || failure instanceof RankMismatchException
            || failure instanceof IllegalArgumentException;
    return invalid ? ExitCode.INVALID : ExitCode.FAILED;
  }

  private static String text(Throwable failure, String command) {
    if (failure instanceof ParameterException e) {
      return e.getMessage() + "; " + suggestion(e) + "see '" + command + " --help'";
    }
    if (failure instanceof OutOfMemoryError) {
      return "not enough memory (" + failure.getMessage()
          + "); use less data, or give the JVM more, as with RINGSTEP_JAVA_OPTS=-Xmx8g";
    }
    boolean explained =
        failure instanceof UsageException
            || failure instanceof RingstepException
            || failure instanceof IllegalArgumentException
            || failure instanceof IOException
            || failure instanceof UncheckedIOException;
    return explained && failure.getMessage() != null
        ? failure.getMessage()
        : "unexpected " + failure + "; please report it with what --verbose shows";
  }

  private static String suggestion(ParameterException failure) {
    List<String> names =
        failure instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions() : List.of();
    return names.isEmpty() ? "" : "did you mean " + String.join(" or ", names) + "? ";
  }
}
