package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ensembles on a GPU: every model as it is alone there, and near what the CPU makes of it. */
@OnGpu
class EnsembleOnGpuTest {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.RELU);
  private static final int MODELS = 1_000;

  static Stream<Arguments> trainings() {
    Sgd momentum = new Sgd(0.01).withMomentum(0.9).withWeightDecay(1e-3);
    Schedule cosine = Schedule.cosine(0).withWarmup(20, 0.1);
    return Stream.of(1, 32).flatMap(batch -> Stream.of(
        Arguments.of(batch, new Sgd(0.01), Schedule.constant()),
        Arguments.of(batch, momentum, Schedule.constant()),
        Arguments.of(batch, momentum.withNesterov(), cosine),
        Arguments.of(batch, new Adam(0.01), Schedule.constant()),
        Arguments.of(batch, new AdamW(0.01), cosine)));
  }

  @ParameterizedTest
  @MethodSource("trainings")
  void thousandModelsAreAsAloneAndNearTheCpus(int batch, Optimizer optimizer, Schedule schedule) {
    double[] rates = IntStream.range(0, MODELS).mapToDouble(k -> 0.0001 + 0.000001 * k).toArray();
    long[] orders = LongStream.range(0, MODELS).map(k -> 3 * k).toArray();
    Fit fit = Fit.epochs(2).batch(batch).schedule(schedule);
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset();
        Ensemble cuda = ensemble(Device.cuda(), optimizer, rates);
        Ensemble cpu = ensemble(Device.cpu(), optimizer, rates)) {
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
            Trainer.builder(NETWORK).device(Device.cuda()).seed(7 + k).optimizer(optimizer.withLearningRate(rates[k])).build()) {
          FitResult own = alone.fit(data, fit.shuffled(orders[k]));
          Bits.assertSame(alone.parameters(), cuda.parameters(k), "model " + k);
          assertArrayEquals(own.losses(), result.model(k).losses());
          assertEquals(alone.evaluate(data), losses[k]);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void modelsThatStopEarlyAreAsAlone(boolean averages) {
    double[] rates = IntStream.range(0, MODELS).mapToDouble(k -> 0.001 + 0.0001 * k).toArray();
    long[] orders = LongStream.range(0, MODELS).toArray();
    Adam optimizer = new Adam(0.01);
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset();
        Dataset validation = Rows.random(2, 20, NETWORK).dataset();
        Ensemble ensemble = ensemble(Device.cuda(), optimizer, rates)) {
      Fit plain = Fit.epochs(20).batch(4).validation(validation).earlyStopping(2, 0).schedule(Schedule.plateau(0.5, 1, 0));
      Fit fit = averages ? plain.ema(0.9) : plain;
      EnsembleResult result = ensemble.fit(data, fit, orders);
      for (int k = 0; k < MODELS; k += 97) {
        try (Trainer alone =
            Trainer.builder(NETWORK).device(Device.cuda()).seed(7 + k).optimizer(optimizer.withLearningRate(rates[k])).build()) {
          FitResult own = alone.fit(data, fit.shuffled(orders[k]));
          Bits.assertSame(alone.parameters(), ensemble.parameters(k), "model " + k);
          assertArrayEquals(own.validationLosses(), result.model(k).validationLosses());
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

  @ParameterizedTest
  @ValueSource(strings = {"average:5", "gradient"})
  void ranksThatExchangeHaveTheBitsOfOneProcess(String exchange) {
    try (Dataset data = Rows.random(1, 60, NETWORK).dataset();
        Dataset validation = Rows.random(2, 20, NETWORK).dataset();
        Ensemble whole = exchanging(exchange, 0, 4).build()) {
      Fit fit = Fit.epochs(20).batch(16).shuffled(3).validation(validation).earlyStopping(2, 0);
      EnsembleResult expected = whole.fit(data, fit);
      Ranks.onThreads(
          2,
          all -> {
            try (Ensemble own = exchanging(exchange, 2 * all.rank(), 2 * all.rank() + 2).communicator(all).build()) {
              EnsembleResult result = own.fit(data, fit);
              Bits.assertSame(whole.parameters(0), own.parameters(1), exchange);
              assertArrayEquals(expected.model(0).validationLosses(), result.model(0).validationLosses());
              return null;
            }
          });
    }
  }

  private static Ensemble.Builder exchanging(String exchange, int first, int end) {
    return Ensemble.builder(NETWORK, end - first).optimizer(new Adam(0.01)).seed(first).exchange(Exchange.parse(exchange))
        .device(Device.cuda());
  }

  @Test
  void whatAGpuCannotDoIsRefused() {
    Ensemble.Builder builder = Ensemble.builder(NETWORK, 3).device(Device.cuda()).loss(Loss.MAE);

    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, builder::build);

    assertTrue(e.getMessage().contains("loss") && e.getMessage().contains("use device cpu"), e.getMessage());
  }

  private static Ensemble ensemble(Device device, double[] rates) {
    return ensemble(device, new Sgd(0.01), rates);
  }

  private static Ensemble ensemble(Device device, Optimizer optimizer, double[] rates) {
    return Ensemble.builder(NETWORK, MODELS).device(device).optimizer(optimizer).seed(7).learningRates(rates).build();
  }
}
