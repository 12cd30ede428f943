package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import java.io.IOException;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.List;

/** A rank's connection to the rendezvous, once it is let in, and the thread that serves it. */
final class TcpLink implements Link {
  /** How long the last message may take to arrive. */
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  private final Connection connection;
  private final Selector selector;
  private final HostPort address;
  private final int holder;
  private final Pulse pulse;
  private final Inbox inbox;
  private final RendezvousServer server;
  private final byte[] key;
  private final Thread thread;
  private volatile boolean leaving;

  /**
   * @param holder the rank that holds the rendezvous, or {@link CollectiveException#NO_RANK}
   * @param server where this rank holds it; else null
   */
  TcpLink(
      Connection connection, Selector selector, HostPort address, int rank, int holder, Pulse pulse,
      Inbox inbox, RendezvousServer server, byte[] key) {
    this.connection = connection;
    this.selector = selector;
    this.address = address;
    this.holder = holder;
    this.pulse = pulse;
    this.inbox = inbox;
    this.server = server;
    this.key = key;
    thread = new Thread(this::run, "ringstep-rank-" + rank);
    thread.setDaemon(true);
  }

  void start(List<Message> early) {
    early.forEach(this::accept);
    thread.start();
  }

  @Override
  public void send(Message message) {
    connection.send(message);
    selector.wakeup();
  }

  @Override
  public byte[] key() {
    return key.clone();
  }

  @Override
  public void close() {
    connection.send(Message.of(Message.Type.LEAVE));
    leaving = true;
    selector.wakeup();
    joinThread();
    if (server != null) {
      // Where the job has failed, some may never leave.
      server.awaitOver(server.failure().isPresent() ? FAREWELL : pulse.deadline());
      server.close();
    }
  }

  private void joinThread() {
    boolean interrupted = Thread.interrupted();
    try {
      thread.join(2 * FAREWELL.toMillis());
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // ---- the thread ----

  private void run() {
    try (selector) {
      serve();
      waitForEnd();
    } catch (IOException e) {
      inbox.fail(lost("its connection to the rendezvous " + address + " ended"));
    } finally {
      connection.close();
    }
  }

  private void serve() throws IOException {
    long heard = System.nanoTime();
    long beaten = heard;
    while (!leaving) {
      selector.select(key -> {}, pulse.tickMillis());
      List<Message> messages = connection.receive();
      messages.forEach(this::accept);
      long now = System.nanoTime();
      if (!messages.isEmpty()) {
        heard = now;
      } else if (now - heard > pulse.silenceNanos()) {
        inbox.fail(silent());
      }
      if (now - beaten >= pulse.intervalNanos()) {
        connection.send(Message.of(Message.Type.HEARTBEAT));
        beaten = now;
      }
      connection.flush();
    }
  }

  /** Were this side to hang up first with something unread, its last message could be lost. */
  private void waitForEnd() throws IOException {
    connection.flush();
    connection.endOutput();
    long end = System.nanoTime() + FAREWELL.toNanos();
    while (System.nanoTime() < end) {
      selector.select(key -> {}, pulse.tickMillis());
      connection.receive();
    }
  }

  private void accept(Message message) {
    try {
      inbox.accept(message);
    } catch (IOException e) {
      inbox.fail(new Failure(Failure.Kind.BROKEN, holder, "the rendezvous " + address + " sent what cannot be: " + e.getMessage()));
    }
  }

  private Failure lost(String reason) {
    return holder == CollectiveException.NO_RANK
        ? new Failure(Failure.Kind.BROKEN, holder, "the launcher that holds the rendezvous " + address + " ended")
        : new Failure(Failure.Kind.DEAD, holder, "rank " + holder + " failed: " + reason);
  }

  private Failure silent() {
    String who = holder == CollectiveException.NO_RANK ? "the launcher" : "rank " + holder;
    return new Failure(Failure.Kind.SILENT, holder, who + " at " + address + " " + pulse.silence());
  }
}
