package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference's gradient is that of its loss, by finite differences. */
class Float64ReferenceTest {
  private static final double STEP = 1e-5;

  @ParameterizedTest
  @EnumSource(Activation.class)
  void gradientAgreesWithFiniteDifferences(Activation activation) {
    Network network = Network.of(3, 5, 4, 2).withActivation(activation);
    float[] parameters = Rows.normal(new Random(1), network.parameterCount());
    Float64Reference reference = new Float64Reference(network, parameters);
    Rows rows = Rows.random(2, 6, network);

    double[] gradient = reference.gradient(rows.x(), rows.y());

    for (int i = 0; i < gradient.length; i++) {
      double slope = (lossBeside(reference, i, STEP, rows) - lossBeside(reference, i, -STEP, rows)) / (2 * STEP);
      assertEquals(slope, gradient[i], 1e-8 * Math.max(1, Math.abs(slope)), "parameter " + i);
    }
  }

  private static double lossBeside(Float64Reference reference, int parameter, double distance, Rows rows) {
    double here = reference.parameters()[parameter];
    reference.parameters()[parameter] = here + distance;
    double loss = reference.loss(rows.x(), rows.y());
    reference.parameters()[parameter] = here;
    return loss;
  }
}
