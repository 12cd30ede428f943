package io.ringstep.cli;

import io.ringstep.internal.files.AtomicFile;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Notices SIGINT and SIGTERM, and keeps the JVM alive until the work is in order.
 *
 * <p>The JVM answers these signals with its shutdown hooks, while all other threads go on; when the
 * last hook returns it halts, with 128 plus the signal's number.
 */
final class Interrupts implements AutoCloseable {
  /** A user waits a second for a step to end, of which the JVM needs some to end. */
  private static final long STEP_MILLIS = 900;

  /** A slow disk gets longer: what it is about to hold would be lost. */
  static final long SAVING_MILLIS = 60_000;

  private static final long POLL_MILLIS = 20;

  private final CountDownLatch trainingEnded = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private final PrintStream err;
  private final long stepMillis;
  private final Thread hook = new Thread(this::waitForWork, "ringstep-interrupts");
  private volatile boolean requested;

  /** @param together whether a step waits for other ranks, of which one may be writing a checkpoint */
  Interrupts(PrintStream err, boolean together) {
    this.err = err;
    this.stepMillis = together ? SAVING_MILLIS : STEP_MILLIS;
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Whether the process was asked to end. */
  boolean requested() {
    return requested;
  }

  /** From here on only saving and reporting are left, which may take their time. */
  void trainingEnded() {
    trainingEnded.countDown();
  }

  /** The work is in order, or has failed, which others report. */
  @Override
  public void close() {
    trainingEnded.countDown();
    closed.countDown();
    if (!requested) {
      removeHook();
    }
  }

  private void removeHook() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The shutdown began just now, and the hook will not have to wait.
    }
  }

  private void waitForWork() {
    requested = true;
    AtomicFile.finishOnExit(Duration.ofMillis(SAVING_MILLIS));
    try {
      if (awaitTraining()) {
        closed.await(SAVING_MILLIS, TimeUnit.MILLISECONDS);
      } else {
        err.println("ringstep train: interrupted amid a step too long to wait for; nothing saved");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether it ended in time. While a checkpoint is being written, no step is too long. */
  private boolean awaitTraining() throws InterruptedException {
    long begin = System.nanoTime();
    long stepBegin = begin;
    for (long now = begin; now - begin < millis(SAVING_MILLIS) && now - stepBegin < millis(stepMillis); now = System.nanoTime()) {
      if (trainingEnded.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        return true;
      }
      if (AtomicFile.isWriting()) {
        stepBegin = System.nanoTime();
      }
    }
    return trainingEnded.getCount() == 0;
  }

  private static long millis(long millis) {
    return TimeUnit.MILLISECONDS.toNanos(millis);
  }
}
