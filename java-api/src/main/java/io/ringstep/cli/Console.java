package io.ringstep.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * The standard streams of one call. Output is not a {@code PrintStream}, which hides that the disk is
 * full or the reader gone.
 *
 * @param out standard output
 * @param err standard error
 */
record Console(OutputStream out, PrintStream err) {
  /** Writes a line to standard output at once. */
  void println(String line) throws IOException {
    out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    out.flush();
  }
}
