package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.Rendezvous;
import io.ringstep.RankMismatchException;
import io.ringstep.RingstepException;
import io.ringstep.internal.Native;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Joins a job over TCP. */
public final class TcpRendezvous {
  private static final int CONNECT_MILLIS = 5_000;
  private static final Duration HANDSHAKE = Duration.ofSeconds(10);
  private static final long FIRST_PAUSE_MILLIS = 20;
  private static final long LONGEST_PAUSE_MILLIS = 500;

  private final Config config;
  private final Map<String, String> facts;
  private final Proof proof;
  private final RendezvousServer server;

  /**
   * What a rank is told.
   *
   * @param listen where rank 0 listens instead of at {@code address}, or null
   * @param held whether the launcher holds the rendezvous, so that rank 0 does not
   */
  public record Config(
      HostPort address, String listen, int rank, int worldSize, int localRank, String secret,
      Duration deadline, int attempt, boolean held) {
    /** Checks the ranges. */
    public Config {
      Limits.requireRank(rank, worldSize);
      Limits.requireDeadline(deadline);
      Secrets.requireFor(address, secret);
    }
  }

  private TcpRendezvous(Config config, Map<String, String> facts, RendezvousServer server) {
    this.config = config;
    this.facts = facts;
    this.proof = new Proof(config.secret);
    this.server = server;
  }

  /** Joins as {@link Rendezvous#tcp} says. */
  public static Rendezvous join(HostPort address, int rank, int worldSize, String secret, Duration deadline) {
    return join(new Config(address, null, rank, worldSize, rank, secret, deadline, 0, false));
  }

  /** Joins, and waits for all ranks. */
  public static Rendezvous join(Config config) {
    Native.require();
    return join(config, Handshake.facts(config.worldSize, config.attempt));
  }

  static Rendezvous join(Config config, Map<String, String> facts) {
    RendezvousServer server = config.rank == 0 && !config.held ? hold(config) : null;
    Member member;
    try {
      member = new TcpRendezvous(config, facts, server).connect();
    } catch (RuntimeException e) {
      if (server != null) {
        server.close();
      }
      throw e;
    }
    return member.started();
  }

  private static RendezvousServer hold(Config config) {
    return RendezvousServer.start(
        new RendezvousServer.Settings(
            config.address, config.listen, config.worldSize, config.secret, config.deadline, config.attempt, 0));
  }

  /** Tries until the deadline: rank 0 may start later than this one. */
  private Member connect() {
    long end = System.nanoTime() + config.deadline.toNanos();
    long pause = FIRST_PAUSE_MILLIS;
    String problem;
    do {
      try {
        return attempt();
      } catch (Refused e) {
        if (!e.passing) {
          throw new RankMismatchException(
              config.rank, "the rendezvous " + config.address + " refused rank " + config.rank + ": " + e.getMessage());
        }
        problem = e.getMessage();
      } catch (ProtocolException e) {
        throw new RingstepException(
            "what listens at " + config.address + " is no Ringstep rendezvous (" + e.getMessage()
                + "); check the address and the port", e);
      } catch (IOException | RingstepException e) {
        problem = e.getMessage();
      }
      sleep(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
    } while (System.nanoTime() < end);
    int missing = config.held ? CollectiveException.NO_RANK : 0;
    throw new CollectiveTimeoutException(
        missing,
        "no rendezvous at " + config.address + " within " + Text.seconds(config.deadline) + " (" + problem + "); see that "
            + (config.held ? "the launcher" : "rank 0") + " runs there and can be reached");
  }

  private Member attempt() throws IOException {
    Selector selector = Selector.open();
    SocketChannel channel = SocketChannel.open();
    Member member = null;
    try {
      // With a time limit, which a channel's own connect has not.
      Socket socket = channel.socket();
      socket.connect(server == null ? config.address.resolve() : server.ownAddress(), CONNECT_MILLIS);
      if (socket.getLocalSocketAddress().equals(socket.getRemoteSocketAddress())) {
        throw new IOException("nobody listens");
      }
      Connection connection = new Connection(channel, selector, Handshake.LARGEST_MEMBER_MESSAGE);
      member = handshake(connection, selector);
      return member;
    } finally {
      if (member == null) {
        channel.close();
        selector.close();
      }
    }
  }

  private Member handshake(Connection connection, Selector selector) throws IOException {
    List<Message> pending = new ArrayList<>();
    Message challenge = await(connection, selector, pending, Message.Type.CHALLENGE);
    if (challenge.number() != Handshake.PROTOCOL) {
      throw new ProtocolException("it speaks another version of the protocol; use one version of Ringstep everywhere");
    }
    byte[] nonce = Proof.nonce();
    byte[] encoded = Facts.encode(facts);
    byte[] answer =
        proof.of(Handshake.CLIENT, challenge.value(0), nonce, Handshake.bytes(config.rank), encoded);
    connection.send(
        new Message(Message.Type.JOIN, config.rank, ThisProcess.description(), List.of(nonce, encoded, answer)));
    connection.flush();
    Message welcome = await(connection, selector, pending, Message.Type.WELCOME);
    if (!proof.matches(welcome.value(0), Handshake.SERVER, challenge.value(0), nonce)) {
      throw new ProtocolException("it does not know the job's secret");
    }
    if (welcome.value(1).length != Long.BYTES) {
      throw new ProtocolException("it gives no deadline");
    }
    Duration deadline = Duration.ofNanos(ByteBuffer.wrap(welcome.value(1)).getLong());
    Inbox inbox = new Inbox();
    TcpLink link =
        new TcpLink(
            connection, selector, config.address, config.rank, welcome.number(), new Pulse(deadline), inbox, server,
            proof.of(Handshake.DATA_PLANE));
    link.start(pending);
    return new Member(
        config.rank, config.worldSize, config.localRank, config.attempt, deadline, inbox, link);
  }

  /** The next message; those after it stay in {@code pending}. */
  private static Message await(
      Connection connection, Selector selector, List<Message> pending, Message.Type type) throws IOException {
    long end = System.nanoTime() + HANDSHAKE.toNanos();
    while (pending.isEmpty()) {
      selector.select(key -> {}, FIRST_PAUSE_MILLIS);
      pending.addAll(connection.receive());
      if (System.nanoTime() > end) {
        throw new IOException("no answer to the handshake");
      }
    }
    Message message = pending.remove(0);
    if (message.type() == Message.Type.REFUSED) {
      throw new Refused(message.name(), message.number() == 1);
    }
    if (message.type() != type) {
      throw new ProtocolException("it says " + message.type() + " where " + type + " is due");
    }
    return message;
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RingstepException("interrupted while joining the job", e);
    }
  }

  /** Turned away. */
  private static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;

    /** Whether it may be otherwise soon: the group is being restarted. */
    final boolean passing;

    Refused(String reason, boolean passing) {
      super(reason);
      this.passing = passing;
    }
  }
}
