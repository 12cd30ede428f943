package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.internal.NativeHandle;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A trainer or dataset that was lost and not closed is reported. */
@Timeout(30)
class LeakTest {
  private static final Network NETWORK = Network.of(2, 1);

  private final Logger logger = Logger.getLogger("io.ringstep");
  private final BlockingQueue<LogRecord> reports = new LinkedBlockingQueue<>();

  @BeforeEach
  void catchReports() {
    logger.setFilter(
        report -> {
          reports.add(report);
          return false;
        });
  }

  @AfterEach
  void restore() {
    logger.setFilter(null);
    System.clearProperty(NativeHandle.LEAK_STACKS);
  }

  @Test
  void anUnclosedTrainerIsReported() throws InterruptedException {
    leakTrainer();
    LogRecord report = awaitReport();
    assertEquals(Level.WARNING, report.getLevel());
    assertEquals(
        "a Trainer was never closed; -Dio.ringstep.leakStacks=true shows where it was made", report.getMessage());
    assertNull(report.getThrown());
  }

  @Test
  void anUnclosedDatasetIsReported() throws InterruptedException {
    leakDataset();
    assertTrue(awaitReport().getMessage().startsWith("a Dataset was never closed"));
  }

  @Test
  void thePropertyShowsWhereItWasMade() throws InterruptedException {
    System.setProperty(NativeHandle.LEAK_STACKS, "true");
    leakTrainer();
    LogRecord report = awaitReport();
    assertEquals("a Trainer was never closed", report.getMessage());
    assertNotNull(report.getThrown());
    assertTrue(
        Arrays.stream(report.getThrown().getStackTrace())
            .anyMatch(frame -> frame.getMethodName().equals("leakTrainer")));
  }

  @Test
  void whatWasClosedIsNotReported() throws InterruptedException {
    for (int i = 0; i < 100; i++) {
      Trainer.of(NETWORK, new Sgd(0.1)).close();
    }
    // Lost after them, and so a sign that the collector has been there.
    leakDataset();
    assertTrue(awaitReport().getMessage().startsWith("a Dataset"));
    assertTrue(reports.isEmpty(), () -> reports.element().getMessage());
  }

  private static void leakTrainer() {
    Trainer.of(NETWORK, new Sgd(0.1));
  }

  private static void leakDataset() {
    Dataset.of(new float[2], new float[1], 2, 1);
  }

  private LogRecord awaitReport() throws InterruptedException {
    LogRecord report = null;
    while (report == null) {
      System.gc();
      report = reports.poll(20, TimeUnit.MILLISECONDS);
    }
    return report;
  }
}
