package io.ringstep;

import java.nio.file.Path;

/**
 * A file cannot be used as it is. The message is one line, {@code FILE:LINE:COLUMN: problem},
 * without the parts that do not apply: {@code data.csv:7:3: 'abc' is not a number; every cell must
 * be a number}.
 */
public class InvalidDataException extends RingstepException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final long line;
  private final int column;

  /**
   * @param file the file; null where there is none
   * @param line 1-based; 0 where it does not apply
   * @param column 1-based, counted in cells; 0 where it does not apply
   * @param problem what is wrong, and the remedy
   */
  public InvalidDataException(Path file, long line, int column, String problem) {
    this(file, line, column, problem, null);
  }

  /**
   * @param file the file; null where there is none
   * @param line 1-based; 0 where it does not apply
   * @param column 1-based, counted in cells; 0 where it does not apply
   * @param problem what is wrong, and the remedy
   * @param cause what brought it about; may be null
   */
  public InvalidDataException(Path file, long line, int column, String problem, Throwable cause) {
    super(message(file, line, column, problem), cause);
    this.file = file;
    this.line = line;
    this.column = column;
  }

  /** The file; null where there is none. */
  public Path file() {
    return file;
  }

  /** The 1-based line; 0 where it does not apply. */
  public long line() {
    return line;
  }

  /** The 1-based column, counted in cells; 0 where it does not apply. */
  public int column() {
    return column;
  }

  private static String message(Path file, long line, int column, String problem) {
    StringBuilder place = new StringBuilder();
    if (file != null) {
      place.append(file).append(':');
    }
    if (line > 0) {
      place.append(line).append(':');
    }
    if (column > 0) {
      place.append(column).append(':');
    }
    String message = place.isEmpty() ? problem : place + " " + problem;
    // Names and cells come from outside: no line break or terminal escape of theirs gets through.
    return message.replaceAll("[\\p{Cc}\\u2028\\u2029]", "?");
  }
}
