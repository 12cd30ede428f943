package io.ringstep;

import io.ringstep.internal.files.GroupedTable;
import io.ringstep.internal.files.TableReader;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Rows in groups, such as those of one shop, sensor or instrument, for an {@link Ensemble} with one model a group.
 * Groups stand in the order in which their first rows came, and rows within a group in their own.
 */
public final class GroupedDataset implements AutoCloseable {
  private final Dataset data;
  private final String column;
  private final List<String> groups;
  private final long[] firstRows;
  private final long[] counts;
  private final List<Standardizer> standardizers;

  private GroupedDataset(
      Dataset data, String column, List<String> groups, long[] firstRows, long[] counts, List<Standardizer> standardizers) {
    this.data = data;
    this.column = column;
    this.groups = List.copyOf(groups);
    this.firstRows = firstRows;
    this.counts = counts;
    this.standardizers = List.copyOf(standardizers);
  }

  /**
   * Copies rows.
   *
   * @param x [rows, inputs], row-major, finite
   * @param y [rows, outputs], row-major, finite
   * @param groups [rows], the name of each row's group
   */
  public static GroupedDataset of(float[] x, float[] y, int inputs, int outputs, List<String> groups) {
    // Checks x and y, so that what follows need not.
    try (Dataset rows = Dataset.of(x, y, inputs, outputs)) {
      if (rows.rows() != groups.size()) {
        throw new IllegalArgumentException(
            "there are " + rows.rows() + " rows but " + groups.size() + " names of groups; every row needs one");
      }
      return sorted(rows, "group", groups);
    }
  }

  /**
   * Reads a CSV file whose column {@code group} holds the name of each row's group, as text. Of the other columns the
   * last {@code outputs} are the targets.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static GroupedDataset read(Path file, String group, int outputs) {
    return of(TableReader.readGrouped(file, group, List.of(), outputs), group);
  }

  /**
   * Reads a CSV file whose column {@code group} holds the name of each row's group, and whose columns {@code targets}
   * are the targets; all others are inputs.
   *
   * @throws InvalidDataException if the file is missing or malformed
   */
  public static GroupedDataset read(Path file, String group, List<String> targets) {
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("targets must name at least one column");
    }
    return of(TableReader.readGrouped(file, group, targets, targets.size()), group);
  }

  private static GroupedDataset of(GroupedTable table, String column) {
    try (Dataset rows = Dataset.of(table.table())) {
      return sorted(rows, column, table.groups());
    }
  }

  private static GroupedDataset sorted(Dataset rows, String column, List<String> groupOfRow) {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    int[] groupNumbers = new int[groupOfRow.size()];
    for (int row = 0; row < groupNumbers.length; row++) {
      String name = groupOfRow.get(row);
      groupNumbers[row] = numbers.computeIfAbsent(name, missing -> numbers.size());
    }
    long[] counts = new long[numbers.size()];
    for (int number : groupNumbers) {
      counts[number]++;
    }
    long[] firstRows = firstRows(counts);
    long[] order = new long[groupNumbers.length];
    long[] next = firstRows.clone();
    for (int row = 0; row < groupNumbers.length; row++) {
      order[(int) next[groupNumbers[row]]++] = row;
    }
    return new GroupedDataset(
        rows.inOrder(order), column, new ArrayList<>(numbers.keySet()), firstRows, counts, List.of());
  }

  /** Where each group begins if they lie one after the other. */
  private static long[] firstRows(long[] counts) {
    long[] firstRows = new long[counts.length];
    for (int g = 1; g < counts.length; g++) {
      firstRows[g] = firstRows[g - 1] + counts[g - 1];
    }
    return firstRows;
  }

  /**
   * Divides the rows of every group by chance, the same on every machine: those of group g as {@link Dataset#split} does
   * with the seed {@code seed + g}. A group of one row keeps it for training, and is not validated. This dataset stays open.
   *
   * @param validation share of a group's rows to validate with, above 0 and below 1; both parts get at least one row
   * @throws IllegalArgumentException if no group has two rows
   */
  public GroupedSplit split(double validation, long seed) {
    Division.requireShare(validation);
    if (Arrays.stream(counts).noneMatch(count -> count > 1)) {
      throw new IllegalArgumentException("no group by " + column + " has two rows, so that none can be validated");
    }
    List<long[]> training = new ArrayList<>();
    List<long[]> others = new ArrayList<>();
    for (int g = 0; g < groups(); g++) {
      Division division =
          counts[g] > 1 ? Division.share(counts[g], validation, seed + g) : Division.without(counts[g]);
      training.add(division.training());
      others.add(division.validation());
    }
    GroupedDataset first = pick(training);
    return Closing.onFailure(first::close, () -> new GroupedSplit(first, pick(others)));
  }

  /** @param rows of each group, which of its rows */
  private GroupedDataset pick(List<long[]> rows) {
    long[] own = rows.stream().mapToLong(chosen -> chosen.length).toArray();
    LongStream order =
        IntStream.range(0, own.length).boxed()
            .flatMapToLong(g -> Arrays.stream(rows.get(g)).map(row -> firstRows[g] + row));
    return copy(groups, own, order, standardizers);
  }

  /** @param order which rows, those of the first group first */
  private GroupedDataset copy(List<String> names, long[] own, LongStream order, List<Standardizer> standards) {
    long[] rows = order.toArray();
    // A dataset has a row, be it no group's.
    Dataset copy = data.inOrder(rows.length == 0 ? new long[1] : rows);
    return new GroupedDataset(copy, column, names, firstRows(own), own, standards);
  }

  /**
   * A copy with the groups {@code names}, in this order, of which some may have no rows: for the validation of a
   * {@link GroupedSplit} with those names. To be closed.
   *
   * @throws IllegalArgumentException if it has a group that is not among them
   */
  public GroupedDataset inGroups(List<String> names) {
    requireNotStandardized();
    Map<String, Integer> numbers = new LinkedHashMap<>();
    for (int g = 0; g < groups(); g++) {
      numbers.put(groups.get(g), g);
    }
    long[] own = new long[names.size()];
    LongStream.Builder order = LongStream.builder();
    for (int to = 0; to < own.length; to++) {
      Integer g = numbers.remove(names.get(to));
      if (g != null) {
        own[to] = counts[g];
        rowsOf(g, g + 1).forEach(order);
      }
    }
    if (!numbers.isEmpty()) {
      throw new IllegalArgumentException("group '" + numbers.keySet().iterator().next() + "' is none of the " + names.size());
    }
    return copy(names, own, order.build(), List.of());
  }

  /**
   * A copy in which every group has every column at mean 0 and standard deviation 1, and remembers how. This one stays
   * open: both are to be closed.
   */
  public GroupedDataset standardized() {
    requireNotStandardized();
    return standardized(data.read((x, y) -> IntStream.range(0, groups()).mapToObj(g -> moments(x, y, g)).toList()));
  }

  private Standardizer moments(FloatBuffer x, FloatBuffer y, int g) {
    return Standardizer.of(part(x, g, data.inputs()), data.inputs(), part(y, g, data.outputs()), data.outputs());
  }

  /** A copy in which every group is standardized as in {@code other}, which has the same groups. */
  GroupedDataset standardizedAs(GroupedDataset other) {
    requireNotStandardized();
    return standardized(other.standardizers);
  }

  private GroupedDataset standardized(List<Standardizer> own) {
    Dataset copy =
        data.changed(
            (x, y) -> {
              for (int g = 0; g < groups(); g++) {
                own.get(g).standardizeInputs(part(x, g, data.inputs()));
                own.get(g).standardizeTargets(part(y, g, data.outputs()));
              }
            },
            null);
    return new GroupedDataset(copy, column, groups, firstRows, counts, own);
  }

  private void requireNotStandardized() {
    if (isStandardized()) {
      throw new IllegalStateException("this GroupedDataset is standardized already");
    }
  }

  private FloatBuffer part(FloatBuffer values, int group, int width) {
    return values.slice((int) firstRows[group] * width, (int) counts[group] * width);
  }

  /** Number of groups, at least 1. */
  public int groups() {
    return groups.size();
  }

  /** The groups' names. */
  public List<String> names() {
    return groups;
  }

  /** What the groups are told apart by. */
  public String column() {
    return column;
  }

  /** Number of rows of group {@code g}; 0 where it is not validated, in a {@link GroupedSplit}. */
  public long rows(int g) {
    return counts[g];
  }

  /** Number of rows of all groups. */
  public long rows() {
    return Arrays.stream(counts).sum();
  }

  /** Width of a row of x. */
  public int inputs() {
    return data.inputs();
  }

  /** Width of a row of y. */
  public int outputs() {
    return data.outputs();
  }

  /** Names of the inputs; empty where the source had none. */
  public List<String> inputNames() {
    return data.inputNames();
  }

  /** Names of the targets; empty where the source had none. */
  public List<String> targetNames() {
    return data.targetNames();
  }

  /** A copy of the rows of group {@code g}, at least one, standardized as they are here; to be closed. */
  public Dataset group(int g) {
    if (counts[g] == 0) {
      throw new IllegalArgumentException("group '" + groups.get(g) + "' has no rows here");
    }
    try (Dataset rows = data.inOrder(rowsOf(g, g + 1).toArray())) {
      return rows.changed((x, y) -> {}, standardizer(g).orElse(null));
    }
  }

  /**
   * A copy of some of the groups, standardized as they are here; to be closed.
   *
   * @param from the first of them
   * @param to the one after the last, above {@code from}
   */
  public GroupedDataset part(int from, int to) {
    Objects.checkFromToIndex(from, to, groups());
    if (from == to) {
      throw new IllegalArgumentException("a part has at least one group");
    }
    return copy(
        groups.subList(from, to), Arrays.copyOfRange(counts, from, to), rowsOf(from, to),
        isStandardized() ? standardizers.subList(from, to) : List.of());
  }

  /** The rows of some of the groups. */
  private LongStream rowsOf(int from, int to) {
    return LongStream.range(firstRows[from], firstRows[to - 1] + counts[to - 1]);
  }

  /** How the rows of group {@code g} were standardized; empty where they were not. */
  public Optional<Standardizer> standardizer(int g) {
    return isStandardized() ? Optional.of(standardizers.get(g)) : Optional.empty();
  }

  /**
   * Why little can be learnt from group {@code g}: it has fewer rows than the inputs and one more, or its targets never
   * change. Empty where neither is so.
   */
  public Optional<String> weakness(int g) {
    if (counts[g] <= data.inputs()) {
      return Optional.of("too few rows");
    }
    return data.read(
        (x, y) -> {
          FloatBuffer own = part(y, g, data.outputs());
          for (int i = 0; i < own.limit(); i++) {
            if (own.get(i) != own.get(i % data.outputs())) {
              return Optional.empty();
            }
          }
          return Optional.of("constant target");
        });
  }

  boolean isStandardized() {
    return !standardizers.isEmpty();
  }

  RowsByModel byModel() {
    float[] scales = null;
    if (isStandardized()) {
      scales = new float[groups() * outputs()];
      for (int i = 0; i < scales.length; i++) {
        scales[i] = (float) standardizers.get(i / outputs()).yScale()[i % outputs()];
      }
    }
    return new RowsByModel(data, firstRows, counts, scales);
  }

  /** Frees the rows, once no call uses them any more. */
  @Override
  public void close() {
    data.close();
  }
}
