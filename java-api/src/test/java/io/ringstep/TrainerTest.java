package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a trainer computes, and what it refuses. */
class TrainerTest {
  private static final Network NETWORK = Network.of(3, 5, 2).withActivation(Activation.TANH);
  private static final Rows ROWS = Rows.random(1, 20, NETWORK);

  // ---- random parameters ----

  @Test
  void initialParametersAreUniformWithinPyTorchsBounds() {
    Network network = Network.of(16, 400, 1);
    float[] parameters = initial(network, 1);
    assertSpread(1 / Math.sqrt(16), Arrays.copyOfRange(parameters, 0, 17 * 400));
    assertSpread(1 / Math.sqrt(400), Arrays.copyOfRange(parameters, 17 * 400, parameters.length));
  }

  private static void assertSpread(double bound, float[] values) {
    double largest = 0;
    double sum = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
      sum += value;
    }
    assertTrue(largest <= bound && largest > 0.95 * bound, "the largest is " + largest);
    // Five standard deviations of the mean.
    assertEquals(0, sum / values.length, 5 * bound / Math.sqrt(3.0 * values.length));
  }

  @Test
  void initialParametersDependOnTheSeedAlone() {
    Bits.assertSame(initial(NETWORK, 7), initial(NETWORK, 7), "one seed");
    assertFalse(Arrays.equals(initial(NETWORK, 7), initial(NETWORK, 8)), "two seeds");
  }

  /** These must never change: on them rests that a seed gives the same model everywhere. */
  @Test
  void knownInitialParameters() {
    float[] expected = {
      0.22591972f, -0.06282699f, -0.8535366f, -0.318277f, 0.68973833f, -0.24456939f, 0.019666225f
    };
    assertArrayEquals(expected, initial(Network.of(1, 2, 1), 42));
  }

  private static float[] initial(Network network, long seed) {
    try (Trainer trainer = Trainer.builder(network).seed(seed).build()) {
      return trainer.parameters();
    }
  }

  // ---- results ----

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 20})
  void predictAgreesWithFloat64(int rows) {
    float[] x = Arrays.copyOf(ROWS.x(), rows * NETWORK.inputs());
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      double[] expected = new Float64Reference(NETWORK, trainer.parameters()).predict(x);
      float[] actual = trainer.predict(x);
      assertEquals(expected.length, actual.length);
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], actual[i], 1e-6, "value " + i);
      }
    }
  }

  @Test
  void predictingNoRowsGivesNone() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      assertEquals(0, trainer.predict(new float[0]).length);
    }
  }

  @Test
  void lossIsThatOfTheLastStepBeforeItsUpdate() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1));
        Dataset data = ROWS.dataset()) {
      assertTrue(Double.isNaN(trainer.loss()), "before the first step");
      double before = trainer.evaluate(data);
      trainer.step(ROWS.x(), ROWS.y());
      assertEquals(before, trainer.loss(), 1e-6 * before);
      assertTrue(trainer.evaluate(data) < before);
    }
  }

  @Test
  void aStepGoesAgainstTheGradient() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.5))) {
      float[] expected = trainer.parameters();
      float[] gradient = trainer.gradient(ROWS.x(), ROWS.y());
      for (int i = 0; i < expected.length; i++) {
        expected[i] -= 0.5f * gradient[i];
      }
      trainer.step(ROWS.x(), ROWS.y());
      assertArrayEquals(expected, trainer.parameters(), 1e-6f);
    }
  }

  @Test
  void askingChangesNothing() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1));
        Dataset data = ROWS.dataset()) {
      float[] before = trainer.parameters();
      trainer.gradient(ROWS.x(), ROWS.y());
      trainer.predict(ROWS.x());
      trainer.evaluate(data);
      trainer.parameters()[0] = 99;
      Bits.assertSame(before, trainer.parameters(), "parameters");
    }
  }

  // ---- changes ----

  @Test
  void parametersThatWereSetAreGot() {
    try (Trainer source = Trainer.builder(NETWORK).seed(1).build();
        Trainer target = Trainer.builder(NETWORK).seed(2).build()) {
      target.setParameters(source.parameters());
      Bits.assertSame(source.parameters(), target.parameters(), "parameters");
    }
  }

  @Test
  void settingParametersForgetsTheOptimizersState() {
    try (Trainer fresh = Trainer.of(NETWORK, new Adam(0.1));
        Trainer used = Trainer.of(NETWORK, new Adam(0.1))) {
      used.step(ROWS.x(), ROWS.y());
      used.setParameters(fresh.parameters());

      fresh.step(ROWS.x(), ROWS.y());
      used.step(ROWS.x(), ROWS.y());
      Bits.assertSame(fresh.parameters(), used.parameters(), "parameters");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 20})
  void aNewLearningRateCountsFromTheNextStep(int rows) {
    Rows batch = new Rows(
        Arrays.copyOf(ROWS.x(), rows * NETWORK.inputs()), Arrays.copyOf(ROWS.y(), rows * NETWORK.outputs()),
        NETWORK.inputs(), NETWORK.outputs());
    try (Trainer changed = Trainer.of(NETWORK, new Sgd(0.1));
        Trainer expected = Trainer.of(NETWORK, new Sgd(0.3))) {
      changed.setLearningRate(0.3);
      changed.step(batch.x(), batch.y());
      expected.step(batch.x(), batch.y());
      Bits.assertSame(expected.parameters(), changed.parameters(), "parameters");
    }
  }

  @Test
  void aNewLearningRateKeepsTheOptimizersState() {
    Sgd optimizer = new Sgd(0.1).withMomentum(0.9);
    try (Trainer changed = Trainer.of(NETWORK, optimizer);
        Trainer expected = Trainer.of(NETWORK, optimizer)) {
      changed.step(ROWS.x(), ROWS.y());
      changed.setLearningRate(0.1);
      changed.step(ROWS.x(), ROWS.y());
      expected.step(ROWS.x(), ROWS.y());
      expected.step(ROWS.x(), ROWS.y());
      Bits.assertSame(expected.parameters(), changed.parameters(), "parameters");
    }
  }

  // ---- models ----

  @Test
  void aTrainerStartsFromAModel() {
    Standardizer standardizer =
        new Standardizer(new double[3], new double[] {1, 2, 3}, new double[2], new double[] {4, 5});
    Model model =
        new Model(NETWORK, initial(NETWORK, 3), standardizer, List.of("a", "b", "c"), List.of("d", "e"));
    try (Trainer trainer = Trainer.builder(model).build()) {
      assertEquals(NETWORK, trainer.network());
      Bits.assertSame(model.parameters(), trainer.parameters(), "parameters");
      assertSameSource(model, trainer.model());
    }
  }

  @Test
  void theModelHasTheSourceOfTheDataItWasFittedTo() {
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      assertTrue(trainer.model().standardizer().isEmpty(), "before the fit");
      trainer.fit(data, Fit.epochs(1));
      assertEquals(data.standardizer(), trainer.model().standardizer());
      Bits.assertSame(trainer.parameters(), trainer.model().parameters(), "parameters");
    }
  }

  @Test
  void dataWithoutNamesLeavesTheModelsNames() {
    Model named = new Model(NETWORK, initial(NETWORK, 3), null, List.of("a", "b", "c"), List.of("d", "e"));
    try (Dataset data = ROWS.dataset();
        Trainer trainer = Trainer.builder(named).build()) {
      trainer.fit(data, Fit.epochs(1));
      assertSameSource(named, trainer.model());
    }
  }

  @Test
  void theModelHasThatSourceEvenIfTheFitFailed() {
    Fit failing =
        Fit.epochs(1)
            .onProgress(
                progress -> {
                  throw new UnsupportedOperationException("enough");
                });
    try (Dataset raw = ROWS.dataset();
        Dataset data = raw.standardized();
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      assertThrows(UnsupportedOperationException.class, () -> trainer.fit(data, failing));
      assertEquals(data.standardizer(), trainer.model().standardizer());
    }
  }

  private static void assertSameSource(Model expected, Model actual) {
    assertEquals(expected.standardizer(), actual.standardizer());
    assertEquals(expected.inputNames(), actual.inputNames());
    assertEquals(expected.targetNames(), actual.targetNames());
  }

  // ---- refusals ----

  @ParameterizedTest
  @CsvSource({"0, 0", "3, 0", "0, 2", "2, 2", "4, 2", "6, 2", "3, 4", "3, 1", "5, 4"})
  void lengthsThatAreNotTheSameWholeRowsAreRefused(int xLength, int yLength) {
    float[] x = new float[xLength];
    float[] y = new float[yLength];
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      List<Executable> calls =
          List.of(
              () -> trainer.step(x, y),
              () -> trainer.step(FloatBuffer.wrap(x), FloatBuffer.wrap(y)),
              () -> trainer.gradient(x, y));
      for (Executable call : calls) {
        var e = assertThrows(IllegalArgumentException.class, call);
        assertTrue(e.getMessage().startsWith("x has " + xLength + " values and y has " + yLength), e.getMessage());
      }
    }
  }

  @Test
  void predictingPartsOfRowsIsRefused() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      assertRefused("x has 4 values", () -> trainer.predict(new float[4]));
      assertRefused("x has 4 values", () -> trainer.predict(FloatBuffer.allocate(4), FloatBuffer.allocate(2)));
      assertRefused("y has room for 3", () -> trainer.predict(FloatBuffer.allocate(3), FloatBuffer.allocate(3)));
    }
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1))) {
      float[] tooFew = new float[NETWORK.parameterCount() - 1];
      assertRefused("31 values where the network has 32 parameters", () -> trainer.setParameters(tooFew));
      assertRefused("learning rate", () -> trainer.setLearningRate(-0.1));
      assertRefused("learning rate", () -> trainer.setLearningRate(Double.NaN));
    }
  }

  @Test
  void dataOfAnotherShapeIsRefused() {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1));
        Dataset data = Rows.random(1, 4, Network.of(2, 3)).dataset()) {
      String message = "the data has 2 inputs and 3 targets, but network 3,5,2 tanh takes 3 and gives 2";
      assertRefused(message, () -> trainer.fit(data, Fit.epochs(1)));
      assertRefused(message, () -> trainer.evaluate(data));
    }
  }

  private static void assertRefused(String message, Executable call) {
    var e = assertThrows(IllegalArgumentException.class, call);
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  static Stream<Executable> callsWithNull() {
    Trainer trainer = Trainer.of(NETWORK, new Sgd(0.1));
    return Stream.<Executable>of(
            () -> trainer.step(null, ROWS.y()),
            () -> trainer.step(ROWS.x(), null),
            () -> trainer.step(null, FloatBuffer.wrap(ROWS.y())),
            () -> trainer.step(FloatBuffer.wrap(ROWS.x()), null),
            () -> trainer.gradient(null, ROWS.y()),
            () -> trainer.gradient(ROWS.x(), null),
            () -> trainer.predict(null),
            () -> trainer.predict(null, FloatBuffer.allocate(2)),
            () -> trainer.predict(FloatBuffer.allocate(3), null),
            () -> trainer.fit(null, Fit.epochs(1)),
            () -> trainer.evaluate(null),
            () -> trainer.setParameters(null),
            () -> Trainer.of(null, new Sgd(0.1)),
            () -> Trainer.of(NETWORK, null),
            () -> Trainer.builder((Model) null),
            () -> Trainer.builder(NETWORK).device(null))
        .onClose(trainer::close);
  }

  @ParameterizedTest
  @MethodSource("callsWithNull")
  void nullIsRefused(Executable call) {
    assertThrows(NullPointerException.class, call);
  }
}
