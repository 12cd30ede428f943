package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.RingstepException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ProtocolException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Holds a job for the ranks that connect. One thread does everything, so nobody who connects can hold
 * up the others: strangers have a few seconds to prove that they know the secret, and few bytes.
 */
public final class RendezvousServer implements AutoCloseable {
  private static final Duration HANDSHAKE = Duration.ofSeconds(10);

  /** How long the last messages may take to arrive. */
  private static final Duration FAREWELL = Duration.ofSeconds(1);

  private static final Duration LAUNCHER_PATIENCE = Duration.ofMillis(300);

  /** Beyond so many connections that have proved nothing yet, the oldest one goes. */
  private static final int MOST_GUESTS = 1024;

  private final ServerSocketChannel listener;
  private final Selector selector;
  private final Settings settings;
  private final Proof proof;
  private final Map<String, String> facts;
  private final Pulse pulse;
  private final Job job;
  private final Map<Connection, Guest> guests = new LinkedHashMap<>();
  private final Map<Connection, Seat> seats = new LinkedHashMap<>();
  private final Map<String, Integer> refusals = new HashMap<>();
  private final Queue<Runnable> calls = new ConcurrentLinkedQueue<>();
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread;
  private volatile Failure failure;
  private volatile boolean stopped;
  private long lastBeat;
  private long farewellEnd;

  /**
   * What a server is told.
   *
   * @param holder the rank whose process this is, or {@link CollectiveException#NO_RANK}
   * @param listen the address to listen at instead of the rendezvous's own, or null
   */
  public record Settings(
      HostPort address, String listen, int worldSize, String secret, Duration deadline, int attempt, int holder) {
    /** Checks the ranges. */
    public Settings {
      Limits.requireWorldSize(worldSize);
      Limits.requireDeadline(deadline);
      Secrets.requireFor(address, secret);
    }
  }

  private record Guest(byte[] nonce, long due) {}

  private static final class Seat {
    final int rank;
    long heard;

    Seat(int rank, long heard) {
      this.rank = rank;
      this.heard = heard;
    }
  }

  private RendezvousServer(Settings settings, ServerSocketChannel listener, Selector selector) throws IOException {
    this.settings = settings;
    this.listener = listener;
    this.selector = selector;
    this.proof = new Proof(settings.secret);
    this.facts = Handshake.facts(settings.worldSize, settings.attempt);
    this.pulse = new Pulse(settings.deadline);
    this.job = new Job(settings.worldSize, settings.deadline, patience(settings), System.nanoTime());
    listener.configureBlocking(false);
    listener.register(selector, SelectionKey.OP_ACCEPT);
    thread = new Thread(this::run, "ringstep-rendezvous");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Listens, from now on, until closed.
   *
   * @throws RingstepException if the port is taken or the address is not this host's
   */
  public static RendezvousServer start(Settings settings) {
    ServerSocketChannel listener = null;
    Selector selector = null;
    try {
      listener = ServerSocketChannel.open();
      selector = Selector.open();
      listener.bind(listenAddress(settings), MOST_GUESTS);
      return new RendezvousServer(settings, listener, selector);
    } catch (IOException e) {
      closeQuietly(listener);
      closeQuietly(selector);
      String reason =
          e instanceof BindException && String.valueOf(e.getMessage()).contains("in use")
              ? "is taken by another program; choose another port, or end that program"
              : "cannot be opened here: " + e.getMessage();
      throw new RingstepException("the rendezvous port " + settings.address + " " + reason, e);
    }
  }

  /** Where nobody who need not reach it can: the loopback address stays within the host. */
  private static InetSocketAddress listenAddress(Settings settings) throws IOException {
    int port = settings.address.port();
    if (settings.listen != null) {
      return new HostPort(settings.listen, port).resolve();
    }
    InetAddress address = settings.address.resolve().getAddress();
    // A host may know its own name as an address that others do not, or a name stand for a service in front of it.
    boolean own = address.isLoopbackAddress() ? settings.address.isLoopback() : NetworkInterface.getByInetAddress(address) != null;
    return own ? new InetSocketAddress(address, port) : new InetSocketAddress(port);
  }

  /** A launcher learns how a process ended, a little after its connection did. */
  private static Duration patience(Settings settings) {
    return settings.holder == CollectiveException.NO_RANK ? LAUNCHER_PATIENCE : Duration.ZERO;
  }

  /** The port it listens at. */
  public int port() {
    return listener.socket().getLocalPort();
  }

  /** Where this process reaches it: behind a service's name others may listen too. */
  InetSocketAddress ownAddress() {
    InetAddress address = listener.socket().getInetAddress();
    return new InetSocketAddress(
        address.isAnyLocalAddress() ? InetAddress.getLoopbackAddress() : address, port());
  }

  /** The job's failure, if it has failed. */
  public Optional<CollectiveException> failure() {
    return Optional.ofNullable(failure).map(Failure::exception);
  }

  /** Better evidence than any rank's: for instance, a process has ended. */
  public void lose(int rank, String reason) {
    call(() -> job.fail(Failure.Kind.DEAD, rank, job.name(rank) + " " + reason));
  }

  private void call(Runnable change) {
    calls.add(change);
    selector.wakeup();
  }

  /** Waits for all ranks to leave, at most so long. */
  boolean awaitOver(Duration bound) {
    try {
      return over.await(bound.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Sends what is left to send, hangs up on everybody, and ends the thread. */
  @Override
  public void close() {
    stopped = true;
    selector.wakeup();
    boolean interrupted = Thread.interrupted();
    try {
      thread.join();
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // ---- the thread ----

  private void run() {
    try {
      while (!stopped || isSayingFarewell()) {
        selector.select(key -> handle(key), pulse.tickMillis());
        for (Runnable call = calls.poll(); call != null; call = calls.poll()) {
          call.run();
        }
        tick(System.nanoTime());
        all(seats.keySet(), this::flush);
        failure = job.failure().orElse(null);
        if (job.isOver() || failure != null && seats.isEmpty()) {
          over.countDown();
        }
      }
    } catch (IOException e) {
      failure = new Failure(Failure.Kind.BROKEN, settings.holder, "the rendezvous failed: " + e.getMessage());
    } finally {
      all(guests.keySet(), Connection::close);
      all(seats.keySet(), Connection::close);
      closeQuietly(listener);
      closeQuietly(selector);
      over.countDown();
    }
  }

  /** Were this side to hang up first with something unread, its last messages could be lost. */
  private boolean isSayingFarewell() {
    long now = System.nanoTime();
    if (farewellEnd == 0) {
      farewellEnd = now + FAREWELL.toNanos();
      all(seats.keySet(), this::endOutput);
    }
    return !seats.isEmpty() && now - farewellEnd < 0;
  }

  private void endOutput(Connection connection) {
    try {
      connection.flush();
      connection.endOutput();
    } catch (IOException e) {
      drop(connection);
    }
  }

  private static void all(Iterable<Connection> connections, Consumer<Connection> action) {
    List<Connection> copy = new ArrayList<>();
    connections.forEach(copy::add);
    copy.forEach(action);
  }

  private void handle(SelectionKey key) {
    if (!key.isValid()) {
      return;
    }
    if (key.isAcceptable() && !stopped) {
      accept();
    } else if (key.isReadable()) {
      read((Connection) key.attachment());
    }
  }

  private void accept() {
    try {
      SocketChannel channel = listener.accept();
      if (channel == null) {
        return;
      }
      Connection connection = new Connection(channel, selector, Handshake.LARGEST_MESSAGE);
      byte[] nonce = Proof.nonce();
      guests.put(connection, new Guest(nonce, System.nanoTime() + HANDSHAKE.toNanos()));
      connection.send(new Message(Message.Type.CHALLENGE, Handshake.PROTOCOL, "", List.of(nonce)));
      connection.flush();
      if (guests.size() > MOST_GUESTS) {
        drop(guests.keySet().iterator().next());
      }
    } catch (IOException e) {
      // Whoever it was is gone, or this process is out of descriptors for now.
    }
  }

  private void read(Connection connection) {
    try {
      for (Message message : connection.receive()) {
        Seat seat = seats.get(connection);
        if (seat != null) {
          hear(connection, seat, message);
        } else if (guests.containsKey(connection)) {
          admit(connection, message);
        }
      }
      Seat seat = seats.get(connection);
      if (seat != null) {
        seat.heard = System.nanoTime();
      }
    } catch (ProtocolException e) {
      lose(connection, "sent what cannot be: " + e.getMessage());
    } catch (IOException e) {
      lose(connection, "failed: its connection to the rendezvous ended");
    }
  }

  private void hear(Connection connection, Seat seat, Message message) throws ProtocolException {
    job.receive(seat.rank, message, System.nanoTime());
    if (message.type() == Message.Type.LEAVE) {
      drop(connection);
    }
  }

  private void lose(Connection connection, String reason) {
    Seat seat = seats.get(connection);
    drop(connection);
    if (seat != null) {
      job.lose(seat.rank, Failure.Kind.DEAD, reason, System.nanoTime());
    }
  }

  private void drop(Connection connection) {
    guests.remove(connection);
    seats.remove(connection);
    connection.close();
  }

  // ---- who may come in ----

  private void admit(Connection connection, Message message) throws ProtocolException {
    Guest guest = guests.get(connection);
    if (message.type() != Message.Type.JOIN) {
      throw new ProtocolException("a stranger");
    }
    byte[] nonce = message.value(0);
    byte[] facts = message.value(1);
    if (nonce.length != Proof.NONCE_BYTES
        || !proof.matches(
            message.value(2), Handshake.CLIENT, guest.nonce, nonce, Handshake.bytes(message.number()), facts)) {
      refuse(connection, "another secret", "the secret differs; give all ranks the same RINGSTEP_SECRET");
      return;
    }
    int rank = message.number();
    Map<String, String> theirs = Facts.decode(facts);
    Optional<String> difference = Facts.difference(theirs, this.facts, "the job");
    boolean passing = !this.facts.get(Handshake.ATTEMPT).equals(theirs.get(Handshake.ATTEMPT));
    if (difference.isPresent()) {
      String text = "rank " + rank + " (" + message.name() + ") has " + difference.get() + "; start all ranks alike";
      refuse(connection, passing ? "another attempt" : "another version or world size", text, passing);
      if (!passing) {
        job.fail(Failure.Kind.DIFFERENT, rank, text);
      }
      return;
    }
    if (rank < 0 || rank >= settings.worldSize) {
      refuse(connection, "a rank out of range", "rank " + rank + " is not below the world size " + settings.worldSize);
    } else if (job.has(rank)) {
      refuse(connection, "a rank that is taken", job.name(rank) + " is here already; give each process a rank of its own");
    } else {
      welcome(connection, guest, nonce, rank, message.name());
    }
  }

  private void welcome(Connection connection, Guest guest, byte[] nonce, int rank, String description) {
    guests.remove(connection);
    seats.put(connection, new Seat(rank, System.nanoTime()));
    connection.allow(Handshake.LARGEST_MEMBER_MESSAGE);
    byte[] answer = proof.of(Handshake.SERVER, guest.nonce, nonce);
    byte[] deadline = Handshake.bytes(settings.deadline.toNanos());
    connection.send(
        new Message(Message.Type.WELCOME, settings.holder, "", List.of(answer, deadline)));
    job.arrive(rank, description, connection.route(), connection::send);
  }

  private void refuse(Connection connection, String what, String reason) {
    refuse(connection, what, reason, false);
  }

  /** @param passing whether it may be otherwise soon */
  private void refuse(Connection connection, String what, String reason, boolean passing) {
    refusals.merge(what, 1, Integer::sum);
    job.hint("; refused meanwhile: " + refusals.entrySet().stream()
        .map(entry -> entry.getValue() + " with " + entry.getKey())
        .sorted()
        .reduce((a, b) -> a + ", " + b)
        .orElseThrow());
    connection.send(new Message(Message.Type.REFUSED, passing ? 1 : 0, reason, List.of()));
    drop(connection);
  }

  // ---- time ----

  private void tick(long now) {
    List<Connection> late = new ArrayList<>();
    guests.forEach(
        (connection, guest) -> {
          if (now - guest.due > 0) {
            late.add(connection);
          }
        });
    late.forEach(this::drop);
    boolean beat = !stopped && now - lastBeat >= pulse.intervalNanos();
    if (beat) {
      lastBeat = now;
    }
    seats.forEach(
        (connection, seat) -> {
          if (beat) {
            connection.send(Message.of(Message.Type.HEARTBEAT));
          }
          if (now - seat.heard > pulse.silenceNanos()) {
            job.lose(seat.rank, Failure.Kind.SILENT, pulse.silence(), now);
          }
        });
    job.tick(now);
  }

  private void flush(Connection connection) {
    try {
      connection.flush();
    } catch (IOException e) {
      lose(connection, "failed: its connection to the rendezvous ended");
    }
  }

  private static void closeQuietly(AutoCloseable resource) {
    try {
      if (resource != null) {
        resource.close();
      }
    } catch (Exception e) {
      // There is nothing left to do with it.
    }
  }
}
