package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Updates against float64, defaults, and ranges. */
class OptimizerTest {
  private static final int STEPS = 50;
  private static final double TOLERANCE = 1e-5;

  static List<Optimizer> optimizers() {
    Sgd sgd = new Sgd(0.05);
    Adam adam = new Adam(0.01);
    AdamW adamW = new AdamW(0.01);
    return List.of(
        sgd,
        sgd.withWeightDecay(0.1),
        sgd.withMomentum(0.9),
        sgd.withMomentum(0.9).withWeightDecay(0.1),
        sgd.withMomentum(0.8).withNesterov(),
        sgd.withMomentum(0.8).withNesterov().withWeightDecay(0.1),
        adam,
        adam.withWeightDecay(0.1),
        adam.withBetas(0.5, 0.9),
        adam.withBetas(0, 0.99),
        adam.withEpsilon(0.1),
        adamW,
        adamW.withWeightDecay(0),
        adamW.withWeightDecay(1),
        adamW.withBetas(0.5, 0.9).withEpsilon(0.1));
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void updatesAgreeWithFloat64(Optimizer optimizer) {
    Network network = Network.of(5, 7, 2).withActivation(Activation.TANH);
    try (Trainer trainer = Trainer.of(network, optimizer)) {
      Float64Reference reference = new Float64Reference(network, trainer.parameters());
      Float64Optimizer updates = new Float64Optimizer(optimizer, network.parameterCount());
      for (int step = 0; step < STEPS; step++) {
        // One row, the rows one by one, and a block of rows, in turn.
        Rows rows = Rows.random(step, new int[] {1, 6, 40}[step % 3], network);
        updates.update(reference.parameters(), reference.gradient(rows.x(), rows.y()));
        trainer.step(rows.x(), rows.y());
      }
      assertNear(reference.parameters(), trainer.parameters());
    }
  }

  private static void assertNear(double[] expected, float[] actual) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], TOLERANCE * Math.max(1, Math.abs(expected[i])), "parameter " + i);
    }
  }

  @Test
  void defaultsArePyTorchs() {
    assertEquals(new Sgd(0.1, 0, false, 0), new Sgd(0.1));
    assertEquals(new Adam(0.1, 0.9, 0.999, 1e-8, 0), new Adam(0.1));
    assertEquals(new AdamW(0.1, 0.9, 0.999, 1e-8, 0.01), new AdamW(0.1));
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void anotherLearningRateChangesNothingElse(Optimizer optimizer) {
    Optimizer other = optimizer.withLearningRate(0.7);
    assertEquals(0.7, other.learningRate());
    assertEquals(optimizer, other.withLearningRate(optimizer.learningRate()));
  }

  @Test
  void whatIsInfiniteInFloat32IsInfinite() {
    assertRefused("learning rate must be a finite number of at least 0, but is Infinity", () -> new Sgd(1e39));
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1e-9, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void whatMustBeFiniteAndAtLeast0(double value) {
    assertRefused("learning rate must be a finite number of at least 0, but is " + value, () -> new Sgd(value));
    assertRefused("learning rate", () -> new Adam(value));
    assertRefused("learning rate", () -> new AdamW(value));
    assertRefused("momentum", () -> new Sgd(1).withMomentum(value));
    assertRefused("weight decay", () -> new Sgd(1).withWeightDecay(value));
    assertRefused("weight decay", () -> new Adam(1).withWeightDecay(value));
    assertRefused("weight decay", () -> new AdamW(1).withWeightDecay(value));
    assertRefused("epsilon", () -> new Adam(1).withEpsilon(value));
    assertRefused("epsilon", () -> new AdamW(1).withEpsilon(value));
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, 1, Double.NaN})
  void whatMustBeAFraction(double value) {
    assertRefused("beta1 must be in [0, 1), but is " + value, () -> new Adam(1).withBetas(value, 0));
    assertRefused("beta2", () -> new Adam(1).withBetas(0, value));
    assertRefused("beta1", () -> new AdamW(1).withBetas(value, 0));
    assertRefused("beta2", () -> new AdamW(1).withBetas(0, value));
  }

  @Test
  void nesterovNeedsAMomentum() {
    assertRefused("nesterov needs a momentum above 0", () -> new Sgd(0.1).withNesterov());
  }

  private static void assertRefused(String message, Executable call) {
    var e = assertThrows(IllegalArgumentException.class, call);
    assertTrue(e.getMessage().startsWith(message), e.getMessage());
  }
}
