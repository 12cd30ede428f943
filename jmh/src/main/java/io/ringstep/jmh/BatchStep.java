package io.ringstep.jmh;

import io.ringstep.Dataset;
import io.ringstep.Fit;
import io.ringstep.Trainer;
import io.ringstep.workload.Float64;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Samples;
import io.ringstep.workload.Schedule;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Steps on one batch that stays where it is, over and over: the metric {@code samples} is samples a second. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class BatchStep extends Schedule {
  private static final int CHECKED_STEPS = 3;

  @Param({"64", "1024", "16384", "1048576"})
  public int batch;

  @Param({"1", "2"})
  public int threads;

  @Param("cpu")
  public String device;

  private Trainer trainer;
  private Dataset dataset;
  private Fit steps;

  @Setup
  public void open() {
    Problem problem = new Problem(batch);
    trainer = Ringstep.trainer(Ringstep.device(device, threads));
    dataset = Ringstep.dataset(problem); // an epoch of it is one step
    trainer.fit(dataset, Fit.epochs(CHECKED_STEPS).batch(batch));
    Float64.requireClose("fit", trainer.parameters(), Float64.train(problem, batch, CHECKED_STEPS));
    // So many steps a call that the call itself costs nothing: about 2^22 samples.
    steps = Fit.epochs((1 << 22) / batch).batch(batch);
  }

  @TearDown
  public void close() {
    trainer.close();
    dataset.close();
  }

  @Benchmark
  public void fit(Samples counter) {
    counter.samples += trainer.fit(dataset, steps).samples();
  }
}
