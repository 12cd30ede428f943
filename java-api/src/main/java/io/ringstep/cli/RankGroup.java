package io.ringstep.cli;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.internal.rendezvous.RendezvousServer;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The processes of one attempt: they end well together, or all end when one fails. */
final class RankGroup {
  /** How long ranks have to say their last words after one has failed, and to heed a signal. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(3);

  private static final Duration HEED = Duration.ofSeconds(3);

  /** How long ranks have to save what they have when all are asked to end. */
  private static final Duration SAVING = Duration.ofMillis(Interrupts.SAVING_MILLIS).plusSeconds(5);

  private static final long POLL_MILLIS = 50;

  private final List<RankProcess> processes = new ArrayList<>();
  private final BlockingQueue<RankProcess> exits = new LinkedBlockingQueue<>();
  private final RendezvousServer server;
  private int alive;
  private RankProcess firstFailure;
  private long failedAt;
  private volatile boolean ending;

  /** How it ended: the exit code, and if that is not 0 which rank failed and why. */
  record Outcome(int exitCode, String reason) {}

  /** @param server null where another host holds it */
  RankGroup(RendezvousServer server) {
    this.server = server;
  }

  /** Adds a process, which counts as failed if it cannot be started. */
  synchronized void add(RankProcess process) {
    processes.add(process);
    alive++;
    process.onExit().thenAccept(exits::add);
  }

  /** Waits for all to end; ends them where one has failed. */
  Outcome await() throws InterruptedException {
    while (alive > 0) {
      RankProcess exited = exits.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
      if (exited != null) {
        alive--;
        noticeExit(exited);
      }
      if (firstFailure == null && failedAt == 0 && verdict().isPresent()) {
        failedAt = System.nanoTime();
      }
      // Ranks that were asked to end have longer: one may still be saving when others are gone.
      if (failedAt != 0 && !ending) {
        endLate(System.nanoTime() - failedAt);
      }
    }
    for (RankProcess process : processes) {
      process.awaitOutput();
    }
    return outcome();
  }

  private void noticeExit(RankProcess exited) {
    if (exited.exitCode() != 0) {
      if (firstFailure == null) {
        firstFailure = exited;
      }
      if (failedAt == 0) {
        failedAt = System.nanoTime();
      }
      if (server != null) {
        server.lose(exited.rank(), exited.howItEnded());
      }
    }
  }

  private void endLate(long nanosSinceFailure) {
    if (nanosSinceFailure > LAST_WORDS.plus(HEED).toNanos() || onlyTheSilentIsLeft()) {
      killAll();
    } else if (nanosSinceFailure > LAST_WORDS.toNanos()) {
      processes.forEach(RankProcess::terminate);
    }
  }

  /** Whoever is stopped or hangs has no last words. */
  private boolean onlyTheSilentIsLeft() {
    Optional<CollectiveException> verdict = verdict();
    return verdict.isPresent()
        && verdict.get() instanceof CollectiveTimeoutException
        && processes.stream()
            .filter(RankProcess::isAlive)
            .allMatch(process -> process.rank() == verdict.get().rank());
  }

  private Optional<CollectiveException> verdict() {
    return server == null ? Optional.empty() : server.failure();
  }

  private Outcome outcome() {
    if (firstFailure == null) {
      return new Outcome(ExitCode.DONE, "");
    }
    Optional<CollectiveException> verdict = verdict();
    RankProcess culprit =
        processes.stream()
            .filter(process -> verdict.isPresent() && process.rank() == verdict.get().rank())
            .filter(process -> process.exitCode() != 0 && !process.wasEnded())
            .findFirst()
            .orElse(firstFailure);
    String reason =
        verdict.map(CollectiveException::getMessage)
            .orElseGet(() -> "rank " + culprit.rank() + " " + culprit.howItEnded());
    return new Outcome(culprit.wasEnded() ? ExitCode.FAILED : culprit.exitCode(), reason);
  }

  /** Ends all: first asks them to, then waits a little, then kills what is left. */
  synchronized void end() {
    ending = true;
    processes.forEach(RankProcess::terminate);
    long end = System.nanoTime() + SAVING.toNanos();
    try {
      for (RankProcess process : processes) {
        while (process.isAlive() && System.nanoTime() < end) {
          Thread.sleep(POLL_MILLIS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    killAll();
  }

  private void killAll() {
    processes.forEach(RankProcess::kill);
  }

  /** What starts a process. */
  @FunctionalInterface
  interface Starter {
    RankProcess start(int localRank) throws IOException;
  }

  /** Starts so many, or none. */
  void startAll(int count, Starter starter) throws IOException {
    try {
      for (int i = 0; i < count; i++) {
        add(starter.start(i));
      }
    } catch (IOException e) {
      end();
      throw new IOException("the processes cannot be started: " + e.getMessage(), e);
    }
  }
}
