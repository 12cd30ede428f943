package io.ringstep.cli;

import io.ringstep.Backends;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.Fit;
import io.ringstep.Network;
import io.ringstep.Ranks;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.internal.CudaLibrary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** What {@code ringstep smoke} checks of ranks: threads of this process, on the CPU and on its GPUs. */
final class CollectiveChecks {
  private static final Network NETWORK = Network.of(10, 20, 1);
  private static final int CPU_RANKS = 3;
  private static final int KILOBYTE_OF_FLOATS = 256;
  private static final int REPEATS = 200;

  /** Several blocks, which ranks share out, and a ragged last batch. */
  private static final int BATCH = 1500;

  private CollectiveChecks() {}

  static List<SmokeCheck> all() {
    List<SmokeCheck> checks = new ArrayList<>();
    checks.add(new SmokeCheck("collective: all-reduce", CollectiveChecks::allReduce));
    checks.add(
        new SmokeCheck("collective: training on the CPU", () -> training(CPU_RANKS, rank -> Device.cpu(1))));
    int gpus = CudaLibrary.unavailable() == null ? Backends.cudaDevices().size() : 0;
    if (gpus > 1) {
      checks.add(new SmokeCheck("collective: training on the GPUs", () -> training(gpus, Device::cuda)));
    }
    return checks;
  }

  /** The sums, and how long one of 1 KB takes. */
  private static String allReduce() {
    List<Long> medians =
        Ranks.onThreads(
            CPU_RANKS,
            ranks -> {
              float[] values = {1 + 4 * ranks.rank(), 2 + 4 * ranks.rank()};
              ranks.allReduce(values);
              SmokeCheck.require(values[0] == 15 && values[1] == 18, "sums are " + Arrays.toString(values));
              return median(ranks);
            });
    return String.format(Locale.ROOT, "%d threads, 1 KB in %.1f µs", CPU_RANKS, medians.get(0) / 1e3);
  }

  private static long median(Communicator ranks) {
    float[] values = new float[KILOBYTE_OF_FLOATS];
    long[] nanos = new long[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
      long start = System.nanoTime();
      ranks.allReduce(values);
      nanos[i] = System.nanoTime() - start;
    }
    Arrays.sort(nanos);
    return nanos[REPEATS / 2];
  }

  /** All ranks end with the bits of a trainer that is alone. */
  private static String training(int ranks, IntFunction<Device> device) {
    try (Dataset data = Dataset.of(CpuChecks.x(), CpuChecks.y(), NETWORK.inputs(), 1)) {
      float[] alone = train(data, Trainer.builder(NETWORK).device(device.apply(0)));
      List<float[]> together =
          Ranks.onThreads(
              ranks,
              communicator ->
                  train(
                      data,
                      Trainer.builder(NETWORK).device(device.apply(communicator.rank())).communicator(communicator)));
      boolean same = IntStream.range(0, ranks).allMatch(rank -> Arrays.equals(alone, together.get(rank)));
      SmokeCheck.require(same, ranks + " ranks change the result");
    }
    return "the same bits for 1 and " + ranks + " ranks";
  }

  private static float[] train(Dataset data, Trainer.Builder builder) {
    try (Trainer trainer = builder.optimizer(new Sgd(0.01)).seed(3).build()) {
      trainer.fit(data, Fit.epochs(3).batch(BATCH).shuffled(4));
      return trainer.parameters();
    }
  }
}
