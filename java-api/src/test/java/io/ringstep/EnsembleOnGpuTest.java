package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ensembles on a GPU: every model as it is alone there, and near what the CPU makes of it. */
@OnGpu
class EnsembleOnGpuTest {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.RELU);
  private static final int MODELS = 1_000;

  @ParameterizedTest
  @ValueSource(ints = {1, 32})
  void thousandModelsAreAsAloneAndNearTheCpus(int batch) {
    double[] rates = IntStream.range(0, MODELS).mapToDouble(k -> 0.001 + 0.00001 * k).toArray();
    long[] orders = LongStream.range(0, MODELS).map(k -> 3 * k).toArray();
    Fit fit = Fit.epochs(2).batch(batch);
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset();
        Ensemble cuda = ensemble(Device.cuda(), rates);
        Ensemble cpu = ensemble(Device.cpu(), rates)) {
      EnsembleResult result = cuda.fit(data, fit, orders);
      cpu.fit(data, fit, orders);
      double[] losses = cuda.evaluate(data);
      double[] expected = cpu.evaluate(data);
      assertEquals(List.of(), result.diverged());
      for (int k = 0; k < MODELS; k++) {
        assertEquals(expected[k], losses[k], 1e-4 * (1 + expected[k]), "model " + k);
        assertArrayEquals(cpu.parameters(k), cuda.parameters(k), 1e-3f, "model " + k);
      }
      for (int k = 0; k < MODELS; k += 97) {
        try (Trainer alone =
            Trainer.builder(NETWORK).device(Device.cuda()).seed(7 + k).optimizer(new Sgd(rates[k])).build()) {
          FitResult own = alone.fit(data, fit.shuffled(orders[k]));
          Bits.assertSame(alone.parameters(), cuda.parameters(k), "model " + k);
          assertArrayEquals(own.losses(), result.model(k).losses());
          assertEquals(alone.evaluate(data), losses[k]);
        }
      }
    }
  }

  @Test
  void oneThatDivergesStopsAlone() {
    double[] rates = new double[MODELS];
    Arrays.fill(rates, 0.01);
    Fit fit = Fit.epochs(2).batch(1).shuffled(4);
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset(); Ensemble sound = ensemble(Device.cuda(), rates)) {
      sound.fit(data, fit);
      rates[500] = 1e30;
      try (Ensemble bold = ensemble(Device.cuda(), rates)) {
        EnsembleResult result = bold.fit(data, fit);
        assertTrue(bold.divergedAt(500).isPresent());
        assertEquals(1, result.diverged().size());
        for (int k = 0; k < MODELS; k++) {
          if (k != 500) {
            Bits.assertSame(sound.parameters(k), bold.parameters(k), "model " + k);
          }
        }
      }
    }
  }

  @Test
  void whatAGpuCannotDoIsRefused() {
    Ensemble.Builder builder =
        Ensemble.builder(NETWORK, 3).device(Device.cuda()).optimizer(new Sgd(0.01, 0.9, false, 0));

    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, builder::build);

    assertTrue(e.getMessage().contains("momentum") && e.getMessage().contains("use device cpu"), e.getMessage());
  }

  private static Ensemble ensemble(Device device, double[] rates) {
    return Ensemble.builder(NETWORK, MODELS).device(device).seed(7).learningRates(rates).build();
  }
}
