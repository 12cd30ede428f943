package io.ringstep.internal.files;

import de.siegmar.fastcsv.reader.AbstractBaseCsvCallbackHandler;
import de.siegmar.fastcsv.reader.RecordType;
import io.ringstep.InvalidDataException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Collects a CSV file's cells as the parser meets them, without an object a cell or a row. */
final class CsvRows extends AbstractBaseCsvCallbackHandler<CsvFile> {
  private static final int FIRST_CAPACITY = 1 << 14;

  private final Source source;
  private final ClassColumn classes;
  private final List<String> names = new ArrayList<>();
  private final GrowableFloats floats;
  private boolean inHeader = true;
  private boolean allNumbers = true;
  private final String labelColumn;
  private final List<String> labels = new ArrayList<>();
  private final Map<String, String> known = new HashMap<>();
  private int labelIndex = -1;
  private long rows;

  /** @param classes the column that holds classes, or null */
  CsvRows(Source source, ClassColumn classes) {
    this(source, classes, null);
  }

  /**
   * @param classes the column that holds classes, or null
   * @param labelColumn a column of text, or null; among the numbers it counts as 0
   */
  CsvRows(Source source, ClassColumn classes, String labelColumn) {
    this.source = source;
    this.labelColumn = labelColumn;
    this.classes = classes;
    this.floats = new GrowableFloats(source, FIRST_CAPACITY);
  }

  /** Where the current row begins, 1-based. */
  long line() {
    return getStartingLineNumber();
  }

  @Override
  protected void handleField(int index, char[] text, int offset, int length, boolean quoted) {
    int from = offset;
    int to = offset + length;
    while (from < to && isBlank(text[from])) {
      from++;
    }
    while (from < to && isBlank(text[to - 1])) {
      to--;
    }
    if (!inHeader && index == labelIndex) {
      addLabel(new String(text, from, to - from), index + 1);
      floats.add(0);
      return;
    }
    if (!inHeader && classes != null && classes.isAt(index)) {
      String cell = new String(text, from, to - from);
      requireText(cell, index + 1);
      floats.add(classes.number(cell, line()));
      return;
    }
    float value = DecimalNumber.parse(text, from, to);
    if (inHeader) {
      addName(new String(text, from, to - from), Float.isNaN(value));
    } else if (Float.isFinite(value)) {
      floats.add(value);
    } else {
      throw badCell(new String(text, from, to - from), value, index + 1);
    }
  }

  /** Null, so that the parser goes on to the next row. */
  @Override
  protected CsvFile buildRecord() {
    if (getRecordType() == RecordType.EMPTY) {
      return null;
    }
    if (inHeader) {
      checkHeader();
      if (classes != null) {
        classes.findIn(names);
      }
      if (labelColumn != null) {
        source.requireNames("column", List.of(labelColumn), names);
        labelIndex = names.indexOf(labelColumn);
      }
      inHeader = false;
    } else {
      checkWidth(getFieldCount());
      rows++;
    }
    return null;
  }

  CsvFile toFile() {
    if (inHeader) {
      throw source.empty();
    }
    if (rows == 0) {
      throw source.invalid("has no rows after its header; add at least one");
    }
    FloatBuffer data = floats.toBuffer();
    List<String> classNames = classes == null ? List.of() : classes.finish(data, names.size());
    return new CsvFile(List.copyOf(names), rows, data, classNames);
  }

  /** The text of the label column in every row. */
  List<String> labels() {
    return labels;
  }

  private void addLabel(String label, int column) {
    requireText(label, column);
    if (label.isEmpty()) {
      throw source.at(line(), column, "the cell is empty; every row must name its group");
    }
    // Groups have many rows: one string for each group is enough.
    labels.add(known.computeIfAbsent(label, same -> same));
  }

  private void addName(String name, boolean isText) {
    int column = names.size() + 1;
    requireText(name, column);
    names.add(name);
    allNumbers &= !isText;
  }

  private void checkHeader() {
    if (allNumbers) {
      throw source.at(
          line(),
          0,
          "has no header: the first line holds numbers; add a first line with the columns' names");
    }
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      if (name.isEmpty()) {
        throw source.at(
            line(), i + 1, "the column has no name; give every column one in the first line");
      }
      if (!seen.add(name)) {
        throw source.at(
            line(),
            i + 1,
            "a second column is named " + Source.quote(name) + "; give every column its own name");
      }
    }
  }

  private void checkWidth(int cells) {
    if (cells != names.size()) {
      throw source.at(
          line(),
          Math.min(cells, names.size()) + 1,
          "the row has "
              + cells
              + " cells where the header has "
              + names.size()
              + "; every row must have as many");
    }
  }

  private InvalidDataException badCell(String cell, float value, int column) {
    requireText(cell, column);
    String problem;
    if (cell.isEmpty()) {
      problem = "the cell is empty; every cell must be a number";
    } else if (cell.matches("(?i)[+-]?(nan|inf|infinity)")) {
      problem = Source.quote(cell) + " is not finite; every cell must be a finite number";
    } else if (Float.isInfinite(value)) {
      problem = Source.quote(cell) + " is beyond the range of float32; scale the column";
    } else if (cell.matches("[+-]?\\d+,\\d+")) {
      problem = Source.quote(cell) + " is not a number; write decimals with a point";
    } else {
      problem = Source.quote(cell) + " is not a number; every cell must be a number";
    }
    return source.at(line(), column, problem);
  }

  /** What no text file has is the mark of another kind of file. */
  private void requireText(String cell, int column) {
    if (cell.indexOf('\uFFFD') >= 0) {
      throw source.at(line(), column, "the cell is not UTF-8 text; save the file as CSV in UTF-8");
    }
    if (cell.chars().anyMatch(c -> c < ' ' && !Character.isWhitespace(c))) {
      throw source.at(
          line(),
          column,
          "the cell holds binary data; name a CSV, .npy, .npz or .safetensors file");
    }
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t';
  }
}
