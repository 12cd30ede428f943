package io.ringstep.jmh;

import io.ringstep.Ensemble;
import io.ringstep.Fit;
import io.ringstep.GroupedDataset;
import io.ringstep.Sgd;
import io.ringstep.workload.Problem;
import io.ringstep.workload.Samples;
import io.ringstep.workload.Schedule;
import java.util.Collections;
import java.util.ArrayList;
import java.util.List;
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

/**
 * Epochs of batch 1 of one model a group, shuffled, on groups of 50 to 500 rows; {@code samples} is samples a second over
 * all groups. With 8 epochs a model takes about as many steps in a call as one of {@link EnsembleStep}.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class GroupedStep extends Schedule {
  private static final int LEAST_ROWS = 50;
  private static final int MOST_ROWS = 500;

  @Param({"1000", "10000"})
  public int groups;

  @Param({"1", "8"})
  public int epochs;

  @Param("2")
  public int threads;

  @Param("cpu")
  public String device;

  private Ensemble ensemble;
  private GroupedDataset dataset;

  @Setup
  public void open() {
    List<String> names = new ArrayList<>();
    for (int g = 0; g < groups; g++) {
      int rows = LEAST_ROWS + g * 37 % (MOST_ROWS - LEAST_ROWS + 1);
      names.addAll(Collections.nCopies(rows, "group " + g));
    }
    Problem problem = new Problem(names.size());
    dataset = GroupedDataset.of(problem.x, problem.y, Problem.INPUTS, 1, names);
    ensemble =
        Ensemble.builder(Ringstep.NETWORK, groups)
            .optimizer(new Sgd(Problem.LEARNING_RATE))
            .device(Ringstep.device(device, threads))
            .build();
  }

  @TearDown
  public void close() {
    ensemble.close();
    dataset.close();
  }

  @Benchmark
  public void fit(Samples counter) {
    counter.samples += ensemble.fit(dataset, Fit.epochs(epochs).batch(1).shuffled(1)).samples();
  }
}
