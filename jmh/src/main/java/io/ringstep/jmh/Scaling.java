package io.ringstep.jmh;

import io.ringstep.Dataset;
import io.ringstep.Fit;
import io.ringstep.Network;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Samples;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How the cost of a sample grows with the batch, the threads, and the width of the network: many sizes, each measured
 * shortly, for a curve without cliffs.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 150, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 150, timeUnit = TimeUnit.MILLISECONDS)
public class Scaling {
  /** Linear(10→20→1) on batches of every power of two. */
  @State(Scope.Thread)
  public static class ByBatch {
    @Param({
      "1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1024", "2048", "4096", "8192", "16384", "32768",
      "65536", "131072", "262144", "524288", "1048576"
    })
    public int batch;

    @Param({"1", "2"})
    public int threads;

    @Param("cpu")
    public String device;

    Trainer trainer;
    Dataset dataset;
    Fit epoch;

    @Setup
    public void open() {
      trainer = Ringstep.trainer(Ringstep.device(device, threads));
      dataset = Ringstep.dataset(new Problem(Math.max(batch, 1 << 14)));
      epoch = Fit.epochs(1).batch(batch);
    }

    @TearDown
    public void close() {
      trainer.close();
      dataset.close();
    }
  }

  /** Linear(width→width→1) on batches of 256. */
  @State(Scope.Thread)
  public static class ByWidth {
    private static final int BATCH = 256;
    private static final int STEPS = 4;

    @Param({"4", "8", "16", "32", "64", "128", "256", "512", "1024"})
    public int width;

    @Param({"1", "2"})
    public int threads;

    @Param("cpu")
    public String device;

    Trainer trainer;
    Dataset dataset;
    Fit epoch;

    @Setup
    public void open() {
      int rows = BATCH * STEPS;
      trainer =
          Trainer.builder(Network.of(width, width, 1))
              .optimizer(new Sgd(1e-4))
              .device(Ringstep.device(device, threads))
              .build();
      Problem values = new Problem((rows * width + Problem.INPUTS - 1) / Problem.INPUTS);
      float[] x = new float[rows * width];
      float[] y = new float[rows];
      System.arraycopy(values.x, 0, x, 0, x.length);
      System.arraycopy(values.x, 0, y, 0, rows);
      dataset = Dataset.of(x, y, width, 1);
      epoch = Fit.epochs(1).batch(BATCH);
    }

    @TearDown
    public void close() {
      trainer.close();
      dataset.close();
    }
  }

  @Benchmark
  public void batch(ByBatch state, Samples counter) {
    counter.samples += state.trainer.fit(state.dataset, state.epoch).samples();
  }

  @Benchmark
  public void width(ByWidth state, Samples counter) {
    counter.samples += state.trainer.fit(state.dataset, state.epoch).samples();
  }
}
