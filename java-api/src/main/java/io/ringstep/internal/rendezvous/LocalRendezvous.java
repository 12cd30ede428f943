package io.ringstep.internal.rendezvous;

import io.ringstep.Rendezvous;
import java.net.InetAddress;
import java.net.ProtocolException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** A job within one process: calls in place of connections, and no thread of its own. */
public final class LocalRendezvous {
  private final Job job;
  private final List<Runnable> undelivered = new ArrayList<>();

  private LocalRendezvous(int worldSize, Duration deadline) {
    job = new Job(worldSize, deadline, Duration.ZERO, System.nanoTime());
  }

  /**
   * All ranks of a new job.
   *
   * @param worldSize number of ranks
   */
  public static List<Rendezvous> create(int worldSize, Duration deadline) {
    Limits.requireWorldSize(worldSize);
    Limits.requireDeadline(deadline);
    LocalRendezvous room = new LocalRendezvous(worldSize, deadline);
    return IntStream.range(0, worldSize)
        .mapToObj(rank -> (Rendezvous) room.member(rank, worldSize, deadline))
        .toList();
  }

  private Member member(int rank, int worldSize, Duration deadline) {
    Inbox inbox = new Inbox();
    Member member = new Member(rank, worldSize, rank, 0, deadline, inbox, new LocalLink(rank));
    InetAddress here = InetAddress.getLoopbackAddress();
    Job.Route route = new Job.Route(here, here);
    with(
        job ->
            job.arrive(rank, "", route, message -> undelivered.add(() -> deliver(inbox, message))));
    return member;
  }

  private static void deliver(Inbox inbox, Message message) {
    try {
      inbox.accept(message);
    } catch (ProtocolException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Messages are delivered after the call, as a listener may call again. */
  private void with(Consumer<Job> call) {
    List<Runnable> deliveries;
    synchronized (job) {
      call.accept(job);
      deliveries = List.copyOf(undelivered);
      undelivered.clear();
    }
    deliveries.forEach(Runnable::run);
  }

  final class LocalLink implements Link {
    private final int rank;

    LocalLink(int rank) {
      this.rank = rank;
    }

    @Override
    public void send(Message message) {
      with(
          job -> {
            try {
              job.receive(rank, message, System.nanoTime());
            } catch (ProtocolException e) {
              throw new IllegalStateException(e);
            }
          });
    }

    @Override
    public void tick() {
      with(job -> job.tick(System.nanoTime()));
    }

    @Override
    public byte[] key() {
      return new byte[0];
    }

    @Override
    public void close() {
      send(Message.of(Message.Type.LEAVE));
    }
  }
}
