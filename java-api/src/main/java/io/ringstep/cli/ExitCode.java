package io.ringstep.cli;

/** What the process says to its caller when it ends. */
final class ExitCode {
  static final int DONE = 0;
  static final int FAILED = 1;

  /** The call or the input is wrong. */
  static final int INVALID = 2;

  /** As a shell reports a program that SIGINT ended. After SIGTERM the JVM itself makes it 143. */
  static final int INTERRUPTED = 130;

  /** As a shell reports a program that SIGPIPE ended: whoever read the output has left. */
  static final int READER_GONE = 141;

  private ExitCode() {}
}
