package io.ringstep.internal.files;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The column of a CSV file whose texts are classes: each gets a number, in an order that the rows do not decide. */
final class ClassColumn {
  private static final int MOST_CLASSES = 1 << 22;

  private final Source source;
  private final String name;
  private final String weights;
  private final List<String> known;
  private final Map<String, Integer> numbers = new HashMap<>();
  private int index = -1;

  /**
   * @param name of the column, or null for the last
   * @param weights name of the column of weights, which is not the last meant, or null
   * @param known the classes in their order; if empty, they are those that the column holds
   */
  ClassColumn(Source source, String name, String weights, List<String> known) {
    this.source = source;
    this.name = name;
    this.weights = weights;
    this.known = known;
    known.forEach(text -> numbers.put(text, numbers.size()));
  }

  /** Finds the column in the header. */
  void findIn(List<String> names) {
    if (name != null) {
      index = names.indexOf(name);
      return;
    }
    index = names.size() - 1;
    if (index > 0 && names.get(index).equals(weights)) {
      index--;
    }
  }

  boolean isAt(int column) {
    return column == index;
  }

  /** The number of a class, for now. */
  float number(String text, long line) {
    if (text.isEmpty()) {
      throw source.at(line, index + 1, "the cell is empty; every row must have its class");
    }
    Integer number = numbers.get(text);
    if (number == null) {
      if (!known.isEmpty()) {
        throw source.at(
            line, index + 1, "no class is called " + Source.quote(text) + "; the classes are " + some(known));
      }
      if (numbers.size() == MOST_CLASSES) {
        throw source.at(line, index + 1, "there are more than " + MOST_CLASSES + " classes in this column");
      }
      number = numbers.size();
      numbers.put(text, number);
    }
    return number;
  }

  /** The classes' names; the numbers in {@code data} [rows, width] become their final ones. */
  List<String> finish(FloatBuffer data, int width) {
    if (!known.isEmpty() || index < 0) {
      return known;
    }
    List<String> names = new ArrayList<>(numbers.keySet());
    names.sort(order(names));
    float[] places = new float[names.size()];
    for (int place = 0; place < places.length; place++) {
      places[numbers.get(names.get(place))] = place;
    }
    for (int i = index; i < data.limit(); i += width) {
      data.put(i, places[(int) data.get(i)]);
    }
    return List.copyOf(names);
  }

  /** By value where all are numbers, else by alphabet. */
  private static Comparator<String> order(List<String> names) {
    boolean allNumbers =
        names.stream().noneMatch(text -> Float.isNaN(DecimalNumber.parse(text.toCharArray(), 0, text.length())));
    Comparator<String> alphabet = Comparator.naturalOrder();
    return allNumbers ? Comparator.<String>comparingDouble(Double::parseDouble).thenComparing(alphabet) : alphabet;
  }

  private static String some(List<String> names) {
    return String.join(", ", names.subList(0, Math.min(names.size(), 20))) + (names.size() > 20 ? ", …" : "");
  }
}
