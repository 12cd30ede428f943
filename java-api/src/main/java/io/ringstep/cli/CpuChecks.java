package io.ringstep.cli;

import com.google.gson.JsonParser;
import io.ringstep.Activation;
import io.ringstep.Adam;
import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.Fit;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Optimizer;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import io.ringstep.internal.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** What {@code ringstep smoke} checks on any machine: the CPU engine, its instruction sets, its threads, files. */
final class CpuChecks {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.TANH);
  private static final int ROWS = 5000;
  private static final int INPUTS = 10;

  private CpuChecks() {}

  static List<SmokeCheck> all() {
    List<SmokeCheck> checks = new ArrayList<>();
    checks.add(new SmokeCheck("cpu: engine", () -> "version " + Native.version() + ", " + Native.cpuSimd()));
    checks.add(new SmokeCheck("cpu: gradient", CpuChecks::gradient));
    checks.add(new SmokeCheck("cpu: least squares", CpuChecks::leastSquares));
    checks.add(new SmokeCheck("cpu: threads", CpuChecks::threads));
    for (String set : List.of("avx2", "baseline")) {
      checks.add(new SmokeCheck("cpu: instruction set " + set, () -> instructionSet(set)));
    }
    checks.add(new SmokeCheck("cpu: model files", CpuChecks::files));
    return checks;
  }

  /** Rows of pseudo-random numbers in [-1, 1): the same in every run. */
  static float[] numbers(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextFloat() * 2 - 1;
    }
    return values;
  }

  static float[] x() {
    return numbers(ROWS * INPUTS, 1);
  }

  static float[] y() {
    return numbers(ROWS, 2);
  }

  /** The parameters after a short training. */
  static float[] train(Device device, Optimizer optimizer, int batch) {
    try (Dataset data = Dataset.of(x(), y(), INPUTS, 1);
        Trainer trainer = Trainer.builder(NETWORK).optimizer(optimizer).device(device).seed(3).build()) {
      trainer.fit(data, Fit.epochs(3).batch(batch).shuffled(4));
      return trainer.parameters();
    }
  }

  /** Of Linear(10→1), where it can be written down: 2 / rows × the sum of error × input. */
  private static String gradient() {
    Network linear = Network.of(INPUTS, 1);
    float[] x = x();
    float[] y = y();
    double[] expected = new double[INPUTS + 1];
    try (Trainer trainer = Trainer.builder(linear).optimizer(new Sgd(0.1)).device(Device.cpu()).build()) {
      float[] weights = trainer.parameters();
      for (int row = 0; row < ROWS; row++) {
        double error = weights[INPUTS] - y[row];
        for (int i = 0; i < INPUTS; i++) {
          error += (double) weights[i] * x[row * INPUTS + i];
        }
        for (int i = 0; i <= INPUTS; i++) {
          expected[i] += 2 * error * (i < INPUTS ? x[row * INPUTS + i] : 1) / ROWS;
        }
      }
      double off = relativeDifference(trainer.gradient(x, y), expected);
      SmokeCheck.require(off <= 2e-6, "off float64's by " + off);
      return String.format(Locale.ROOT, "within %.1e of float64", off);
    }
  }

  static double relativeDifference(float[] actual, double[] expected) {
    double difference = 0;
    double size = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    return Math.sqrt(difference / size);
  }

  private static String leastSquares() throws IOException {
    try (Dataset raw = DiabetesExample.read(List.of(), 1);
        Dataset rows = raw.standardized();
        Trainer trainer =
            Trainer.builder(Network.of(INPUTS, 20, 1)).optimizer(new Sgd(0.02, 0.9, false, 0)).device(Device.cpu()).build()) {
      trainer.fit(rows, Fit.epochs(2000).batch(442).shuffled(0));
      double percent = 100 * (trainer.evaluate(rows) / DiabetesExample.leastSquares(rows) - 1);
      SmokeCheck.require(percent < 0.001, percent + " % above the optimum");
      return String.format(Locale.ROOT, "%.5f %% above the optimum", Math.max(0, percent));
    }
  }

  private static String threads() {
    int processors = Runtime.getRuntime().availableProcessors();
    float[] alone = train(Device.cpu(1), new Adam(0.01), 2048);
    for (int threads = 2; threads <= Math.max(3, Math.min(processors, 8)); threads++) {
      SmokeCheck.require(
          Arrays.equals(alone, train(Device.cpu(threads), new Adam(0.01), 2048)), threads + " threads change the result");
    }
    return "the same bits for 1 to " + Math.max(3, Math.min(processors, 8));
  }

  /** The set is chosen when the engine is loaded, so that takes a process of its own. */
  private static String instructionSet(String set) throws IOException, InterruptedException {
    String own = Native.cpuSimd();
    if (own.equals("baseline") || own.equals("avx2") && set.equals("avx2")) {
      throw new SmokeCheck.Skip(own.equals(set) ? "it is the one in use" : "this processor has none");
    }
    double expected = lossWith(own);
    double loss = lossWith(set);
    boolean fused = set.equals("avx2"); // both have fused multiply-adds, and so the same bits
    SmokeCheck.require(
        fused ? loss == expected : Math.abs(loss / expected - 1) < 1e-4, "loss " + loss + ", with " + own + " " + expected);
    return fused ? "the same bits as " + own : "near " + own;
  }

  private static double lossWith(String set) throws IOException, InterruptedException {
    String java = ProcessHandle.current().info().command().orElse("java");
    ProcessBuilder builder =
        new ProcessBuilder(
            java, "-cp", System.getProperty("java.class.path"), "io.ringstep.cli.Main",
            "train", "--device", "cpu", "--epochs", "20", "--json", "--quiet");
    builder.environment().put("RINGSTEP_SIMD", set);
    Path out = Files.createTempFile("ringstep-smoke", ".json");
    try {
      Process process =
          builder.redirectOutput(out.toFile()).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      boolean ended = process.waitFor(20, TimeUnit.SECONDS);
      if (!ended) {
        process.destroyForcibly();
      }
      SmokeCheck.require(ended && process.exitValue() == 0, "training with RINGSTEP_SIMD=" + set + " failed");
      return JsonParser.parseString(Files.readString(out)).getAsJsonObject().get("loss").getAsDouble();
    } finally {
      Files.deleteIfExists(out);
    }
  }

  private static String files() throws IOException {
    Path file = Files.createTempFile("ringstep-smoke", ".safetensors");
    try (Trainer trainer = Trainer.builder(NETWORK).device(Device.cpu()).seed(5).build()) {
      trainer.model().save(file);
      SmokeCheck.require(Arrays.equals(trainer.parameters(), Model.load(file).parameters()), "a saved model came back changed");
      return "saved and read back";
    } finally {
      Files.deleteIfExists(file);
    }
  }
}
