package io.ringstep.workload;

import java.util.ServiceLoader;

/**
 * A system that trains the network of {@link Problem}, as a service: the benchmarks take the one that is on the class
 * path. Each does the work its own best way; how it keeps the data, and what it makes ready in {@link #open}, is up to
 * it. The loss need not be computed.
 */
public interface Peer extends AutoCloseable {
  /** What the results page calls it: name and version. */
  String version();

  /** Threads that it can use for one step. */
  default int mostThreads() {
    return Runtime.getRuntime().availableProcessors();
  }

  /**
   * Makes ready to train and to predict; called once.
   *
   * @param parameters where training starts, in the layout of {@link Problem#start()}
   * @param rows what all else works on
   * @param threads at most {@link #mostThreads()}
   */
  void open(float[] parameters, Problem rows, int threads);

  /**
   * Takes {@code steps} steps of plain SGD on {@code batch} rows each: the first rows, the next ones, and from the first
   * again at the end. The number of rows is a multiple of {@code batch}.
   */
  void train(int batch, int steps);

  /** In the layout of {@link Problem#start()}. */
  float[] parameters();

  /** The answers for all rows, {@code batch} rows at a time; they need not be kept past the next call. */
  float[] predict(int batch);

  @Override
  void close();

  /** The peer on the class path. */
  static Peer find() {
    return ServiceLoader.load(Peer.class)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no peer on the class path"));
  }
}
