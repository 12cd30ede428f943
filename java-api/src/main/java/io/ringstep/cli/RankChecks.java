package io.ringstep.cli;

import io.ringstep.Adam;
import io.ringstep.Communicator;
import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.Fit;
import io.ringstep.Network;
import io.ringstep.Ranks;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * What {@code ringstep smoke} checks of one group of ranks, each on a thread and a device of its own: right sums, how fast
 * they are, and how much faster ranks train together.
 */
final class RankChecks {
  private static final Network NETWORK = Network.of(10, 20, 1);
  private static final int KILOBYTE = 1024;
  private static final int LATENCIES = 200;
  private static final int SUMS = 5;

  /** Less than a message, several, and more than any piece in which sums are made. */
  private static final int[] LENGTHS = {1, 2, 257, 100_003};

  /** Several blocks, which ranks share out, and a ragged last batch. */
  private static final int BATCH = 1500;

  private static final int WARM_UP_STEPS = 5;
  private static final int STEPS = 20;
  private static final int RUNS = 3;

  private final String what;
  private final List<Device> devices;
  private final Communicator.Backend backend;
  private final int megabytes;
  private final int stepRows;

  /**
   * A group.
   *
   * @param what the ranks are, in one word: threads, GPUs
   * @param megabytes of the sums by which bandwidth is measured
   * @param stepRows of the step that ranks share out
   */
  RankChecks(String what, List<Device> devices, Communicator.Backend backend, int megabytes, int stepRows) {
    this.what = what;
    this.devices = List.copyOf(devices);
    this.backend = backend;
    this.megabytes = megabytes;
    this.stepRows = stepRows;
  }

  /** Sums have one right answer: small integers, which floats hold exactly. */
  String allReduce() {
    int size = devices.size();
    Ranks.onDevices(
        devices, backend,
        ranks -> {
          for (int length : LENGTHS) {
            float[] values = new float[length];
            for (int i = 0; i < length; i++) {
              values[i] = i % 1000 + ranks.rank();
            }
            ranks.allReduce(values);
            for (int i = 0; i < length; i++) {
              float expected = size * (i % 1000) + size * (size - 1) / 2;
              SmokeCheck.require(
                  values[i] == expected,
                  "value " + i + " of " + length + " is " + values[i] + " on rank " + ranks.rank() + ", not " + expected);
            }
          }
          return null;
        });
    return size + " " + what + ", up to " + LENGTHS[LENGTHS.length - 1] + " values";
  }

  /** Of one sum that is waited for. */
  String latency() {
    double[] seconds = new double[LATENCIES];
    List<Double> medians =
        Ranks.onDevices(
            devices, backend,
            ranks -> {
              double[] own = ranks.rank() == 0 ? seconds : new double[LATENCIES];
              for (int i = 0; i < LATENCIES; i++) {
                own[i] = ranks.timeAllReduce(KILOBYTE, 1);
              }
              Arrays.sort(own);
              return own[LATENCIES / 2];
            });
    return String.format(Locale.ROOT, "%d %s, 1 KB in %.1f µs", devices.size(), what, medians.get(0) * 1e6);
  }

  /** As nccl-tests count it: the bus carries each byte 2(n - 1)/n times. */
  String bandwidth() {
    long bytes = (long) megabytes << 20;
    double seconds = Ranks.onDevices(devices, backend, ranks -> ranks.timeAllReduce(bytes, SUMS)).get(0);
    SmokeCheck.require(seconds > 0, "no time passed");
    int size = devices.size();
    double algorithm = bytes / seconds / 1e9;
    return String.format(
        Locale.ROOT, "%d %s, %d MB in %.2f ms: algorithm %.2f GB/s, bus %.2f GB/s", size, what, megabytes, seconds * 1e3,
        algorithm, algorithm * 2 * (size - 1) / size);
  }

  /** All ranks end with the bits of a trainer that is alone. */
  String training() {
    try (Dataset data = Dataset.of(CpuChecks.x(), CpuChecks.y(), NETWORK.inputs(), 1)) {
      float[] alone = train(data, Trainer.builder(NETWORK).device(devices.get(0)));
      List<float[]> together =
          Ranks.onDevices(
              devices, backend,
              ranks ->
                  train(data, Trainer.builder(NETWORK).device(devices.get(ranks.rank())).communicator(ranks)));
      boolean same = IntStream.range(0, devices.size()).allMatch(rank -> Arrays.equals(alone, together.get(rank)));
      SmokeCheck.require(same, devices.size() + " ranks change the result");
    }
    return "the same bits for 1 and " + devices.size() + " ranks";
  }

  private static float[] train(Dataset data, Trainer.Builder builder) {
    try (Trainer trainer = builder.optimizer(new Sgd(0.01)).seed(3).build()) {
      trainer.fit(data, Fit.epochs(3).batch(BATCH).shuffled(4));
      return trainer.parameters();
    }
  }

  /** One large batch, shared out among 1, 2, 4 and so on up to all of the devices. */
  String scaling() {
    List<String> times = new ArrayList<>();
    float[] x = CpuChecks.numbers(stepRows * NETWORK.inputs(), 1);
    try (Dataset data = Dataset.of(x, CpuChecks.numbers(stepRows, 2), NETWORK.inputs(), 1)) {
      double alone = 0;
      for (int ranks : sizes(devices.size())) {
        double seconds = stepSeconds(data, ranks);
        alone = ranks == 1 ? seconds : alone;
        times.add(
            String.format(Locale.ROOT, "%d in %.2f ms", ranks, seconds * 1e3)
                + (ranks == 1 ? "" : String.format(Locale.ROOT, " (%.2fx)", alone / seconds)));
      }
    }
    return "a step of " + stepRows + " rows on " + String.join(", ", times);
  }

  /** 1, 2, 4, …, and {@code most}. */
  static List<Integer> sizes(int most) {
    List<Integer> sizes = new ArrayList<>();
    for (int size = 1; size < most; size *= 2) {
      sizes.add(size);
    }
    sizes.add(most);
    return sizes;
  }

  private double stepSeconds(Dataset data, int size) {
    return Ranks.onDevices(
            devices.subList(0, size), backend,
            ranks -> {
              Trainer.Builder builder =
                  Trainer.builder(NETWORK).optimizer(new Adam(0.001)).device(devices.get(ranks.rank()));
              try (Trainer trainer = (size == 1 ? builder : builder.communicator(ranks)).build()) {
                trainer.fit(data, Fit.epochs(WARM_UP_STEPS).batch(stepRows));
                List<Double> runs = new ArrayList<>();
                for (int run = 0; run < RUNS; run++) {
                  long start = System.nanoTime();
                  trainer.fit(data, Fit.epochs(STEPS).batch(stepRows));
                  runs.add((System.nanoTime() - start) / 1e9 / STEPS);
                }
                return Collections.min(runs);
              }
            })
        .get(0);
  }
}
