package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.engine.Engine;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same seeds and data give the same bits, however the work is shared out and cut up. */
class DeterminismTest {
  private static final int[] THREADS = {2, 3, 8};

  @ParameterizedTest
  @EnumSource
  void anyNumberOfThreadsGivesTheSameBits(TrainingRun run) {
    for (boolean shuffled : new boolean[] {false, true}) {
      float[] alone = run.train(Device.cpu(1), shuffled).parameters();
      for (int threads : THREADS) {
        float[] shared = run.train(Device.cpu(threads), shuffled).parameters();
        Bits.assertSame(alone, shared, threads + " threads, shuffled: " + shuffled);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void runningAgainGivesTheSameBits(TrainingRun run) {
    Bits.assertSame(
        run.train(Device.auto(), true).parameters(),
        run.train(Device.auto(), true).parameters(),
        "the second run");
  }

  /** An engine call does at most 4,096 epochs, so that this fit takes several. */
  @Test
  void aFitOfManyEpochsHasTheBitsOfItsSteps() {
    Network network = Network.of(4, 6, 2).withActivation(Activation.TANH);
    Rows rows = Rows.random(1, 3, network);
    try (Dataset data = rows.dataset();
        Trainer fitting = Trainer.of(network, new Adam(0.001));
        Trainer stepping = Trainer.of(network, new Adam(0.001))) {
      FitResult result = fitting.fit(data, Fit.epochs(10_000).batch(2).shuffled(3));

      stepThrough(stepping, rows, 2, 3, result.steps());
      assertEquals(20_000, result.steps());
      Bits.assertSame(stepping.parameters(), fitting.parameters(), "fit and steps");
    }
  }

  @Test
  void aCancelledFitHasTheBitsOfItsSteps() {
    Network network = Network.of(16, 64, 64, 1).withActivation(Activation.RELU);
    Rows rows = Rows.random(2, 50_000, network);
    AtomicInteger reports = new AtomicInteger();
    try (Dataset data = rows.dataset();
        Trainer fitting = Trainer.of(network, new Sgd(0.001));
        Trainer stepping = Trainer.of(network, new Sgd(0.001))) {
      Fit endless = Fit.epochs(1_000_000).batch(3).shuffled(4);
      FitResult result =
          fitting.fit(
              data,
              endless.onProgress(
                  progress -> {
                    if (reports.incrementAndGet() == 2) {
                      fitting.cancel();
                    }
                  }));

      assertTrue(result.cancelled());
      stepThrough(stepping, rows, 3, 4, result.steps());
      Bits.assertSame(stepping.parameters(), fitting.parameters(), "cancelled fit and steps");
    }
  }

  /** What a fit with this batch, shuffled by this seed, does in its first {@code steps} steps. */
  private static void stepThrough(Trainer trainer, Rows rows, int batch, long seed, long steps) {
    int stepsPerEpoch = (rows.count() + batch - 1) / batch;
    long[] order = new long[rows.count()];
    for (long step = 0; step < steps; step++) {
      if (step % stepsPerEpoch == 0) {
        Engine.rs_shuffle_order(seed, step / stepsPerEpoch, order.length, order);
      }
      int first = (int) (step % stepsPerEpoch) * batch;
      Rows some = rows.pick(slice(order, first, Math.min(first + batch, order.length)));
      trainer.step(some.x(), some.y());
    }
  }

  private static int[] slice(long[] order, int first, int end) {
    int[] rows = new int[end - first];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (int) order[first + i];
    }
    return rows;
  }
}
