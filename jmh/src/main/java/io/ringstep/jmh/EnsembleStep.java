package io.ringstep.jmh;

import io.ringstep.Dataset;
import io.ringstep.Ensemble;
import io.ringstep.Fit;
import io.ringstep.Model;
import io.ringstep.Sgd;
import io.ringstep.workload.Float64;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Samples;
import io.ringstep.workload.Schedule;
import java.util.Collections;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Steps of batch 1 of many models side by side; one model is the same call's cost for a model alone. The metric
 * {@code samples} is samples a second, counting each model's.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class EnsembleStep extends Schedule {
  private static final int ROWS = 1_000;

  @Param({"1", "2", "1000"})
  public int models;

  /** Whether all models visit the rows in one order, or each in its own. */
  @Param({"shared", "own"})
  public String order;

  @Param("2")
  public int threads;

  @Param("cpu")
  public String device;

  private Ensemble ensemble;
  private Dataset dataset;
  private Fit epochs;
  private long[] orders;

  @Setup
  public void open() {
    Problem problem = new Problem(ROWS);
    dataset = Ringstep.dataset(problem);
    ensemble =
        Ensemble.builder(Collections.nCopies(models, new Model(Ringstep.NETWORK, Problem.start())))
            .optimizer(new Sgd(Problem.LEARNING_RATE))
            .device(Ringstep.device(device, threads))
            .build();
    ensemble.fit(dataset, Fit.epochs(1).batch(1));
    Float64.requireClose("fit", ensemble.parameters(models - 1), Float64.train(problem, 1, ROWS));
    // As many steps of each model as take a call some tens of milliseconds.
    epochs = Fit.epochs(models > 2 ? 2 : 1_000).batch(1);
    orders = order.equals("own") ? LongStream.range(0, models).toArray() : null;
  }

  @TearDown
  public void close() {
    ensemble.close();
    dataset.close();
  }

  @Benchmark
  public void fit(Samples counter) {
    counter.samples += (orders == null ? ensemble.fit(dataset, epochs) : ensemble.fit(dataset, epochs, orders)).samples();
  }
}
