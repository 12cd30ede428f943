package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.internal.Native;
import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * Which of some rows train and which validate, drawn by chance: the same on every machine.
 *
 * @param training numbers of rows, ascending: what is left of a file should look like it
 * @param validation those of the others, ascending
 */
record Division(long[] training, long[] validation) {
  /** As {@link Dataset#split}. */
  static Division share(long rows, double validation, long seed) {
    requireShare(validation);
    requireRows(rows, 2);
    long count = Math.max(1, Math.min(rows - 1, Math.round(validation * rows)));
    return of(order(rows, seed), 0, (int) count);
  }

  /** All rows train. */
  static Division without(long rows) {
    return new Division(LongStream.range(0, rows).toArray(), new long[0]);
  }

  static void requireShare(double validation) {
    if (!(validation > 0 && validation < 1)) {
      throw new IllegalArgumentException("the share must be above 0 and below 1, but is " + validation);
    }
  }

  /** As {@link Dataset#fold}. */
  static Division fold(long rows, int fold, int count, long seed) {
    if (count < 2 || fold < 0 || fold >= count) {
      throw new IllegalArgumentException("there is no fold " + fold + " of " + count + "; there must be at least 2");
    }
    requireRows(rows, count);
    return of(order(rows, seed), (int) (rows * fold / count), (int) (rows * (fold + 1) / count));
  }

  private static void requireRows(long rows, int least) {
    if (rows < least) {
      throw new IllegalArgumentException("there are " + rows + " rows, too few to divide into " + least + " parts");
    }
  }

  /** A random order of the rows that no epoch has. */
  private static long[] order(long rows, long seed) {
    long[] order = new long[Math.toIntExact(rows)];
    Native.check(Engine.rs_shuffle_order(seed, Long.MAX_VALUE, rows, order));
    return order;
  }

  private static Division of(long[] order, int from, int to) {
    long[] validation = Arrays.copyOfRange(order, from, to);
    long[] training = new long[order.length - validation.length];
    System.arraycopy(order, 0, training, 0, from);
    System.arraycopy(order, to, training, from, order.length - to);
    Arrays.sort(training);
    Arrays.sort(validation);
    return new Division(training, validation);
  }
}
