package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What happens after a close and during a call in flight. */
// On a thread of its own: waiting for a lock cannot be interrupted.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LifecycleTest {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.RELU);
  private static final Rows ROWS = Rows.random(1, 1_000, NETWORK);
  private static final Fit ENDLESS = Fit.epochs(Integer.MAX_VALUE).batch(1);

  // ---- after a close ----

  static Stream<Executable> usesOfAClosedTrainer() {
    Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
    Dataset data = ROWS.dataset();
    trainer.close();
    FloatBuffer x = FloatBuffer.wrap(ROWS.x());
    FloatBuffer y = FloatBuffer.wrap(ROWS.y());
    float[] parameters = new float[NETWORK.parameterCount()];
    return Stream.<Executable>of(
            () -> trainer.step(ROWS.x(), ROWS.y()),
            () -> trainer.step(x, y),
            () -> trainer.predict(ROWS.x()),
            () -> trainer.predict(x, y),
            () -> trainer.gradient(ROWS.x(), ROWS.y()),
            () -> trainer.fit(data, Fit.epochs(1)),
            () -> trainer.evaluate(data),
            trainer::loss,
            trainer::parameters,
            () -> trainer.setParameters(parameters),
            () -> trainer.setLearningRate(1),
            trainer::model)
        .onClose(data::close);
  }

  @ParameterizedTest
  @MethodSource("usesOfAClosedTrainer")
  void aClosedTrainerSaysSo(Executable use) {
    assertEquals("this Trainer is closed", assertThrows(IllegalStateException.class, use).getMessage());
  }

  static Stream<Executable> usesOfAClosedDataset() {
    Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
    Dataset data = ROWS.dataset();
    Standardizer standardizer = Standardizer.of(data);
    data.close();
    return Stream.<Executable>of(
            () -> trainer.fit(data, Fit.epochs(1)),
            () -> trainer.evaluate(data),
            data::standardized,
            () -> data.standardized(standardizer),
            () -> Standardizer.of(data))
        .onClose(trainer::close);
  }

  @ParameterizedTest
  @MethodSource("usesOfAClosedDataset")
  void aClosedDatasetSaysSo(Executable use) {
    assertEquals("this Dataset is closed", assertThrows(IllegalStateException.class, use).getMessage());
  }

  @Test
  void closingAgainDoesNothing() {
    Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
    Dataset data = ROWS.dataset();
    for (AutoCloseable resource : List.of(trainer, data)) {
      for (int i = 0; i < 3; i++) {
        assertDoesNotThrow(resource::close);
      }
    }
  }

  // ---- during a fit ----

  @Test
  void cancelEndsTheFit() throws Exception {
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
        Dataset data = ROWS.dataset()) {
      RunningFit fit = new RunningFit(trainer, data);
      trainer.cancel();
      assertTrue(fit.resultWithinASecond().cancelled());
      assertFalse(trainer.fit(data, Fit.epochs(2)).cancelled(), "the next fit");
    }
  }

  @Test
  void closingTheTrainerEndsTheFit() throws Exception {
    try (Dataset data = ROWS.dataset()) {
      Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
      RunningFit fit = new RunningFit(trainer, data);
      trainer.close();
      assertTrue(fit.resultWithinASecond().cancelled());
    }
  }

  /** Who comes to wait first is left to chance: a fit that was begun after the close must end too. */
  @Test
  void closingTheTrainerEndsTheFitsThatWait() throws Exception {
    try (Dataset data = ROWS.dataset()) {
      for (int i = 0; i < 20; i++) {
        Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
        RunningFit running = new RunningFit(trainer, data);
        CompletableFuture<FitResult> waiting = CompletableFuture.supplyAsync(() -> trainer.fit(data, ENDLESS));
        trainer.close();
        assertTrue(running.resultWithinASecond().cancelled());
        waiting.handle((result, failure) -> result).get(1, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void closingTheTrainerFromItsListenerEndsTheFit() {
    Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001));
    try (Dataset data = ROWS.dataset()) {
      assertTrue(trainer.fit(data, ENDLESS.onProgress(progress -> trainer.close())).cancelled());
      assertThrows(IllegalStateException.class, trainer::loss);
    }
  }

  @Test
  void closingTheDatasetWaitsForTheFit() throws Exception {
    Dataset data = ROWS.dataset();
    try (Trainer trainer = Trainer.of(NETWORK, new Sgd(0.001))) {
      RunningFit fit = new RunningFit(trainer, data);
      CompletableFuture<Void> closed = CompletableFuture.runAsync(data::close);
      fit.awaitReports(3);
      assertFalse(closed.isDone(), "closed while the fit used it");

      trainer.cancel();
      assertTrue(fit.resultWithinASecond().cancelled());
      closed.get(1, TimeUnit.SECONDS);
    }
  }

  /** An endless fit on a thread of its own, which has begun. */
  private static final class RunningFit {
    private volatile CountDownLatch reports = new CountDownLatch(1);
    private final CompletableFuture<FitResult> result;

    RunningFit(Trainer trainer, Dataset data) throws InterruptedException {
      Fit fit = ENDLESS.onProgress(progress -> reports.countDown());
      result = CompletableFuture.supplyAsync(() -> trainer.fit(data, fit));
      reports.await();
    }

    void awaitReports(int count) throws InterruptedException {
      reports = new CountDownLatch(count);
      reports.await();
    }

    FitResult resultWithinASecond() throws Exception {
      return result.get(1, TimeUnit.SECONDS);
    }
  }

  // ---- several threads ----

  @Test
  void stepsOfTwoThreadsRunOneAfterTheOther() throws Exception {
    int stepsEach = 20_000;
    Rows one = ROWS.pick(0);
    Rows bad = ROWS.pick(0);
    bad.x()[0] = Float.NaN;
    try (Trainer shared = Trainer.of(NETWORK, new Sgd(0.001).withMomentum(0.5));
        Trainer alone = Trainer.of(NETWORK, new Sgd(0.001).withMomentum(0.5))) {
      CompletableFuture<Void> other = CompletableFuture.runAsync(() -> step(shared, one, stepsEach));
      step(shared, one, stepsEach);
      other.get();
      step(alone, one, 2 * stepsEach);

      Bits.assertSame(alone.parameters(), shared.parameters(), "parameters");
      DivergedException e = assertThrows(DivergedException.class, () -> shared.step(bad.x(), bad.y()));
      assertEquals(2 * stepsEach + 1, e.step());
    }
  }

  private static void step(Trainer trainer, Rows rows, int steps) {
    for (int i = 0; i < steps; i++) {
      trainer.step(rows.x(), rows.y());
    }
  }

  @Test
  void twoTrainersMayUseOneDatasetAtOnce() throws Exception {
    Fit fit = Fit.epochs(50).batch(512).shuffled(1);
    try (Dataset data = ROWS.dataset();
        Trainer alone = Trainer.of(NETWORK, new Sgd(0.001));
        Trainer first = Trainer.of(NETWORK, new Sgd(0.001));
        Trainer second = Trainer.of(NETWORK, new Sgd(0.001))) {
      CompletableFuture<FitResult> other = CompletableFuture.supplyAsync(() -> first.fit(data, fit));
      second.fit(data, fit);
      other.get();
      alone.fit(data, fit);

      Bits.assertSame(alone.parameters(), first.parameters(), "first");
      Bits.assertSame(alone.parameters(), second.parameters(), "second");
    }
  }
}
