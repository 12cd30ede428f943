package io.ringstep.internal.files;

import de.siegmar.fastcsv.reader.CsvParseException;
import de.siegmar.fastcsv.reader.CsvReader;
import io.ringstep.InvalidDataException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * A table of numbers as text: a first line with the columns' names, then rows, separated by commas,
 * semicolons or tabs.
 *
 * @param names the columns' names, without surrounding blanks
 * @param rows number of rows, at least 1
 * @param data [rows, names], row-major, direct and in native byte order; finite
 * @param classNames what the numbers of its column of classes stand for; empty where it has none
 */
public record CsvFile(List<String> names, long rows, FloatBuffer data, List<String> classNames) {
  private static final String SEPARATORS = ",;\t";
  private static final int LONGEST_HEADER = 1 << 20;
  private static final char BYTE_ORDER_MARK = '\uFEFF';

  /**
   * Reads a whole file, or a pipe.
   *
   * @throws io.ringstep.InvalidDataException if the file is missing or malformed
   */
  public static CsvFile read(Path file) {
    return read(file, (ClassColumn) null);
  }

  /** @param classes the column that holds classes, or null */
  static CsvFile read(Path file, ClassColumn classes) {
    Source source = new Source(file);
    return read(source, new CsvRows(source, classes));
  }

  /**
   * A table one of whose columns is text.
   *
   * @param csv all columns; that of text is 0
   * @param labels the text of every row
   */
  record Labelled(CsvFile csv, List<String> labels) {}

  /** Reads a whole file, or a pipe, in which {@code labelColumn} is a column of text. */
  static Labelled readLabelled(Path file, String labelColumn) {
    Source source = new Source(file);
    CsvRows rows = new CsvRows(source, null, labelColumn);
    CsvFile csv = read(source, rows);
    return new Labelled(csv, rows.labels());
  }

  private static CsvFile read(Source source, CsvRows rows) {
    try (FileChannel channel = source.open();
        Reader text = text(channel)) {
      var builder = CsvReader.builder().trimWhitespacesAroundQuotes(true).allowUnclosedQuote(false);
      // The handler keeps the rows itself and returns none, so the first look runs to the end.
      builder.fieldSeparator(separator(text)).build(rows, text).iterator().hasNext();
      return rows.toFile();
    } catch (CsvParseException e) {
      throw explain(e, rows.line(), source);
    } catch (UncheckedIOException e) {
      throw source.unreadable(e.getCause());
    } catch (IOException e) {
      throw source.unreadable(e);
    }
  }

  /** The parser wraps what its handler throws. */
  private static InvalidDataException explain(CsvParseException e, long line, Source source) {
    Throwable cause = e.getCause();
    if (cause instanceof InvalidDataException problem) {
      return problem;
    }
    String reason = cause == null ? e.getMessage() : cause.getMessage();
    return source.at(line, 0, "the row is not sound CSV: " + reason);
  }

  /**
   * Bytes that are not UTF-8 become U+FFFD, which is no number: so the cell is reported, with its
   * line and column.
   */
  private static Reader text(FileChannel channel) throws IOException {
    Reader text =
        new BufferedReader(
            new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8),
            1 << 16);
    text.mark(1);
    if (text.read() != BYTE_ORDER_MARK) {
      text.reset();
    }
    return text;
  }

  /** The separator that occurs most in the first line, outside quotes. */
  private static char separator(Reader text) throws IOException {
    int[] counts = new int[SEPARATORS.length()];
    boolean quoted = false;
    text.mark(LONGEST_HEADER);
    for (int read = 0; read < LONGEST_HEADER; read++) {
      int c = text.read();
      if (c < 0 || !quoted && (c == '\n' || c == '\r')) {
        break;
      }
      quoted ^= c == '"';
      int separator = SEPARATORS.indexOf(c);
      if (separator >= 0 && !quoted) {
        counts[separator]++;
      }
    }
    text.reset();
    int most = 0;
    for (int i = 1; i < counts.length; i++) {
      most = counts[i] > counts[most] ? i : most;
    }
    return SEPARATORS.charAt(most);
  }
}
