package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Gradients and losses of random networks, activations and batches. */
class GradientTest {
  /** A system property: when set, only the case of this seed is tried. */
  static final String SEED = "io.ringstep.test.seed";

  private static final int CASES = 400;
  private static final double GRADIENT_TOLERANCE = 2e-6;
  private static final double LOSS_TOLERANCE = 1e-6;

  @Test
  void gradientsAgreeWithFloat64() {
    forEachCase(
        CASES,
        drawn -> {
          try (Trainer trainer = trainer(drawn)) {
            float[] gradient = trainer.gradient(drawn.rows().x(), drawn.rows().y());
            double error = relativeError(gradient, reference(drawn).gradient(drawn.rows().x(), drawn.rows().y()));
            assertTrue(error <= GRADIENT_TOLERANCE, () -> "the gradient is off by " + error + ": " + drawn);
          }
        });
  }

  @Test
  void lossesAgreeWithFloat64() {
    forEachCase(
        CASES,
        drawn -> {
          double expected = reference(drawn).loss(drawn.rows().x(), drawn.rows().y());
          try (Trainer trainer = trainer(drawn);
              Dataset data = drawn.rows().dataset()) {
            trainer.step(drawn.rows().x(), drawn.rows().y());
            assertEquals(expected, trainer.loss(), LOSS_TOLERANCE * expected, () -> "step: " + drawn);
            assertEquals(expected, trainer.evaluate(data), LOSS_TOLERANCE * expected, () -> "evaluate: " + drawn);
          }
        });
  }

  @Test
  void gradientsAgreeWithFiniteDifferences() {
    forEachCase(
        CASES / 4,
        drawn -> {
          try (Trainer trainer = trainer(drawn);
              Dataset data = drawn.rows().dataset()) {
            float[] gradient = trainer.gradient(drawn.rows().x(), drawn.rows().y());
            double slope = slopeAlong(gradient, trainer, data, drawn.parameters());
            assertEquals(norm(gradient), slope, 5e-3 * norm(gradient), drawn::toString);
          }
        });
  }

  private static void forEachCase(int count, Consumer<RandomCase> check) {
    Long only = Long.getLong(SEED);
    LongStream seeds = only == null ? LongStream.range(0, count) : LongStream.of(only);
    seeds.mapToObj(RandomCase::draw).forEach(check);
  }

  /** A trainer whose steps change nothing. */
  private static Trainer trainer(RandomCase drawn) {
    return Trainer.builder(new Model(drawn.network(), drawn.parameters())).optimizer(new Sgd(0)).build();
  }

  private static Float64Reference reference(RandomCase drawn) {
    return new Float64Reference(drawn.network(), drawn.parameters());
  }

  private static double relativeError(float[] actual, double[] expected) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    return Math.sqrt(error / size);
  }

  /** How fast the loss rises per unit of length in this direction; along the gradient, its norm. */
  private static double slopeAlong(float[] direction, Trainer trainer, Dataset data, float[] from) {
    double step = 2e-3;
    double above = lossAt(step, direction, trainer, data, from);
    double below = lossAt(-step, direction, trainer, data, from);
    return (above - below) / (2 * step);
  }

  private static double lossAt(double distance, float[] direction, Trainer trainer, Dataset data, float[] from) {
    double norm = norm(direction);
    float[] moved = from.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (distance / norm * direction[i]);
    }
    trainer.setParameters(moved);
    return trainer.evaluate(data);
  }

  private static double norm(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += (double) value * value;
    }
    return Math.sqrt(sum);
  }
}
