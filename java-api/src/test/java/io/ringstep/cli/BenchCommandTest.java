package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.ringstep.Dataset;
import io.ringstep.Fit;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class BenchCommandTest {
  @Test
  @Timeout(value = 3, unit = TimeUnit.MINUTES) // a third of one where nothing else runs
  void measuresTheHeadlines() {
    Cli.Result result = Cli.run("bench", "--device", "cpu", "--json");

    assertEquals(ExitCode.DONE, result.exitCode(), result.err());
    assertTrue(result.out().matches("\\{.*}\n"), result.out());
    JsonObject bench = result.json();
    assertEquals(
        List.of("ringstep", "java", "machine", "figures"), List.copyOf(bench.keySet()));
    List<String> names = new ArrayList<>();
    for (JsonElement element : bench.getAsJsonArray("figures")) {
      JsonObject figure = element.getAsJsonObject();
      names.add(figure.get("name").getAsString());
      double least = figure.get("least").getAsDouble();
      double median = figure.get("nanoseconds").getAsDouble();
      double most = figure.get("most").getAsDouble();
      assertTrue(0 < least && least <= median && median <= most, figure.toString());
      assertTrue(figure.get("runs").getAsInt() >= 5, figure.toString());
      assertEquals(
          figure.get("plain_java_nanoseconds").getAsDouble() / median,
          figure.get("times_plain_java").getAsDouble(),
          1e-9,
          figure.toString());
    }
    assertEquals(
        List.of(
            "step, batch 1, in fit", "step, batch 1, a call each", "step, batch 64",
            "step, batch 16,384", "step, batch 1,048,576", "prediction of one row",
            "prediction of 1,048,576 rows"),
        names);
  }

  @Test
  void showsNoDeviceThatThisMachineLacks() {
    Cli.Result result = Cli.run("bench", "--device", "abacus");

    assertEquals(ExitCode.INVALID, result.exitCode());
    assertTrue(result.err().contains("abacus"), result.err());
  }

  @Test
  void thePlainLoopTrainsAsTheEngineDoes() {
    Random random = new Random(7);
    float[] start = PlainLoop.start(random);
    float[] x = new float[50 * PlainLoop.INPUTS];
    float[] y = new float[50];
    for (int k = 0; k < x.length; k++) {
      x[k] = (float) random.nextGaussian();
      y[k % y.length] += x[k];
    }
    PlainLoop loop = new PlainLoop(start, 0.01);
    assertArrayEquals(start, loop.parameters());
    loop.train(x, y);

    Network network = Network.of(PlainLoop.INPUTS, PlainLoop.HIDDEN, 1);
    try (Dataset data = Dataset.of(x, y, PlainLoop.INPUTS, 1);
        Trainer trainer = Trainer.builder(new Model(network, start)).optimizer(new Sgd(0.01)).build()) {
      trainer.fit(data, Fit.epochs(1).batch(1));
      assertArrayEquals(trainer.parameters(), loop.parameters(), 1e-5f);
      loop.trainBatch(x, y);
      trainer.fit(data, Fit.epochs(1).batch(y.length));
      assertArrayEquals(trainer.parameters(), loop.parameters(), 1e-5f);
      float[] answers = new float[y.length];
      loop.predict(x, answers);
      assertArrayEquals(trainer.predict(x), answers, 1e-4f);
    }
  }

  @Test
  void timesWhatTheWorkTakes() {
    long[] calls = {0};
    Timing timing =
        Timing.of(
            2,
            () -> {
              calls[0]++;
              long start = System.nanoTime();
              while (System.nanoTime() - start < 2_000_000) {
                Thread.onSpinWait();
              }
            });

    double[] times = {timing.least(), timing.median(), timing.most()};
    double[] sorted = times.clone();
    Arrays.sort(sorted);
    assertArrayEquals(sorted, times);
    assertTrue(timing.least() >= 1_000_000 && calls[0] > Timing.RUNS, timing.toString());
  }
}
