package io.ringstep.cli;

import java.util.Arrays;

/**
 * How long one operation takes, in nanoseconds: the median, the least and the most of {@link #RUNS} runs.
 *
 * @param median of the runs
 * @param least of the runs
 * @param most of the runs
 */
record Timing(double median, double least, double most) {
  static final int RUNS = 7;
  private static final long WARM_UP = 300_000_000; // ns: the JIT compiler has to be done
  private static final long RUN = 100_000_000; // ns: short disturbances average out

  /** Times {@code work}, which does {@code operations} operations, after a warm-up. */
  static Timing of(long operations, Runnable work) {
    long calls = 0;
    long start = System.nanoTime();
    do {
      work.run();
      calls++;
    } while (System.nanoTime() - start < WARM_UP);
    calls = Math.max(1, calls * RUN / WARM_UP);
    double[] times = new double[RUNS];
    for (int r = 0; r < RUNS; r++) {
      start = System.nanoTime();
      for (long c = 0; c < calls; c++) {
        work.run();
      }
      times[r] = (double) (System.nanoTime() - start) / calls / operations;
    }
    Arrays.sort(times);
    return new Timing(times[RUNS / 2], times[0], times[RUNS - 1]);
  }
}
