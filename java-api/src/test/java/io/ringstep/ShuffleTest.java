package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.engine.Engine;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The order in which a shuffled epoch visits the rows. */
class ShuffleTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 7, 8, 9, 100, 442, 1023, 1024, 1025, 100_003})
  void everyRowComesExactlyOnce(int rows) {
    assertArrayEquals(LongStream.range(0, rows).toArray(), sorted(order(3, 1, rows)));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void aFitVisitsTheRowsInThatOrder(int epoch) {
    assertArrayEquals(order(9, epoch, 500), visits(9, epoch, 500));
  }

  @Test
  void ordersDifferByEpochAndSeed() {
    long[] order = order(1, 0, 100);
    assertFalse(Arrays.equals(order, order(1, 1, 100)), "epochs 0 and 1");
    assertFalse(Arrays.equals(order, order(2, 0, 100)), "seeds 1 and 2");
    assertFalse(Arrays.equals(order, order(1L << 32 | 1, 0, 100)), "seeds that differ in their upper halves");
  }

  /** These must never change: on them rests that a seed gives the same model everywhere. */
  @Test
  void knownAnswers() {
    assertArrayEquals(new long[] {5, 1, 8, 6, 2, 0, 4, 7, 9, 3}, order(42, 3, 10));
    assertArrayEquals(
        new long[] {6142, 10442, 95393, 48765, 76545}, Arrays.copyOf(order(-7, 1_000_000, 100_003), 5));
  }

  @Test
  void everyRowIsAsLikelyAtEveryPosition() {
    int rows = 10;
    int epochs = 5_000;
    int[][] counts = new int[rows][rows];
    for (int epoch = 0; epoch < epochs; epoch++) {
      long[] order = order(11, epoch, rows);
      for (int position = 0; position < rows; position++) {
        counts[position][(int) order[position]]++;
      }
    }
    double expected = (double) epochs / rows;
    double chiSquare =
        Arrays.stream(counts)
            .flatMapToInt(Arrays::stream)
            .mapToDouble(count -> (count - expected) * (count - expected) / expected)
            .sum();
    // 81 degrees of freedom: mean 81, standard deviation 12.7.
    assertTrue(chiSquare < 145, () -> "chi-square is " + chiSquare);
  }

  private static long[] order(long seed, long epoch, int rows) {
    long[] order = new long[rows];
    assertEquals(Engine.RS_OK, Engine.rs_shuffle_order(seed, epoch, rows, order));
    return order;
  }

  private static long[] sorted(long[] values) {
    return Arrays.stream(values).sorted().toArray();
  }

  /**
   * The rows in the order that an epoch of a fit visits them, told from what it learns. Row i has
   * input i alone, so that its visit alone changes weight i. All visits change the bias, which comes
   * nearer to the target with each, so that each changes its weight a little less than the one before.
   */
  private static long[] visits(long seed, int epoch, int rows) {
    float[] before = epoch == 0 ? new float[rows + 1] : parametersAfter(epoch, seed, rows);
    float[] after = parametersAfter(epoch + 1, seed, rows);
    return IntStream.range(0, rows)
        .boxed()
        .sorted(Comparator.comparing((Integer i) -> after[i] - before[i]).reversed())
        .mapToLong(Integer::longValue)
        .toArray();
  }

  private static float[] parametersAfter(int epochs, long seed, int rows) {
    float[] x = new float[rows * rows];
    float[] y = new float[rows];
    for (int i = 0; i < rows; i++) {
      x[i * rows + i] = 1;
      y[i] = 1;
    }
    Model zero = new Model(Network.of(rows, 1), new float[rows + 1]);
    try (Dataset data = Dataset.of(x, y, rows, 1);
        Trainer trainer = Trainer.builder(zero).optimizer(new Sgd(0x1p-14)).build()) {
      trainer.fit(data, Fit.epochs(epochs).batch(1).shuffled(seed));
      return trainer.parameters();
    }
  }
}
