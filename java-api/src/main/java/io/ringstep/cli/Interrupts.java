package io.ringstep.cli;

import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Notices SIGINT and SIGTERM, and keeps the JVM alive until the work is in order.
 *
 * <p>The JVM answers these signals with its shutdown hooks, while all other threads go on; when the
 * last hook returns it halts, with 128 plus the signal's number.
 */
final class Interrupts implements AutoCloseable {
  /** A user waits a second, of which the JVM needs some to end. */
  private static final long TRAINING_MILLIS = 900;

  private static final long SAVING_MILLIS = 60_000;

  private final CountDownLatch trainingEnded = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private final PrintStream err;
  private final Thread hook = new Thread(this::waitForWork, "ringstep-interrupts");
  private volatile boolean requested;

  Interrupts(PrintStream err) {
    this.err = err;
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

  /** The work is in order. */
  @Override
  public void close() {
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
    try {
      if (trainingEnded.await(TRAINING_MILLIS, TimeUnit.MILLISECONDS)) {
        closed.await(SAVING_MILLIS, TimeUnit.MILLISECONDS);
      } else {
        err.println("ringstep train: interrupted amid a step too long to wait for; nothing saved");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
