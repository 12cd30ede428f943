package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.Rendezvous;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** One rank's view of its job, whatever the link. */
final class Member implements Rendezvous, Endpoint {
  private static final int MOST_KEY_CHARACTERS = 256;

  /** How long to wait for a verdict; the job gives one sooner. */
  private static final Duration VERDICT = Duration.ofSeconds(3);

  private final int rank;
  private final int worldSize;
  private final int localRank;
  private final int attempt;
  private final Duration deadline;
  private final Inbox inbox;
  private final Link link;
  private final AtomicBoolean closed = new AtomicBoolean();

  Member(int rank, int worldSize, int localRank, int attempt, Duration deadline, Inbox inbox, Link link) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.localRank = localRank;
    this.attempt = attempt;
    this.deadline = deadline;
    this.inbox = inbox;
    this.link = link;
  }

  /** Waits for all ranks; a failure closes this. */
  Member started() {
    try {
      inbox.awaitStart(link, patience());
      return this;
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** The job itself keeps the deadline, and knows whom to name. This is for when it does not answer. */
  private Duration patience() {
    return deadline.multipliedBy(2).plusSeconds(1);
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return worldSize;
  }

  @Override
  public int localRank() {
    return localRank;
  }

  @Override
  public int attempt() {
    return attempt;
  }

  @Override
  public Duration deadline() {
    return deadline;
  }

  @Override
  public boolean isInProcess() {
    return link instanceof LocalRendezvous.LocalLink;
  }

  @Override
  public String hostAddress() {
    return inbox.hostAddress();
  }

  @Override
  public byte[] key() {
    return link.key();
  }

  @Override
  public void put(String key, byte[] value) {
    requireValid(key, value);
    inbox.requireOpen();
    link.send(Message.of(Message.Type.PUT, key, value.clone()));
  }

  @Override
  public byte[] get(String key) {
    requireValid(key, new byte[0]);
    inbox.requireOpen();
    link.send(Message.of(Message.Type.GET, key));
    return inbox.awaitValue(link, patience(), key).clone();
  }

  @Override
  public List<byte[]> allGather(String name, byte[] value) {
    requireValid(name, value);
    inbox.requireOpen();
    link.send(Message.of(Message.Type.GATHER, name, value.clone()));
    return inbox.awaitGathered(link, patience(), name);
  }

  @Override
  public void agree(String name, Map<String, String> facts) {
    Optional<Failure> difference = Facts.compare(allGather(name, Facts.encode(facts)));
    if (difference.isPresent()) {
      // Every rank has compared the same, so none needs to be told.
      inbox.fail(difference.get());
      throw difference.get().exception();
    }
  }

  @Override
  public void abort(String reason) {
    if (!closed.get() && inbox.failure().isEmpty()) {
      link.send(Message.of(Message.Type.ABORT, reason.substring(0, Math.min(reason.length(), 1000))));
    }
  }

  @Override
  public CollectiveException report(CollectiveException seen) {
    if (!closed.get() && inbox.failure().isEmpty()) {
      link.send(Message.of(Failure.of(seen)));
      inbox.awaitFailure(link, VERDICT);
      inbox.fail(Failure.of(seen));
    }
    return inbox.failure().map(Failure::exception).orElse(seen);
  }

  @Override
  public void onFailure(Consumer<CollectiveException> listener) {
    inbox.onFailure(listener);
  }

  @Override
  public Optional<CollectiveException> failure() {
    return inbox.failure().map(Failure::exception);
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      inbox.close();
      link.close();
    }
  }

  private static void requireValid(String key, byte[] value) {
    if (key.isEmpty() || key.length() > MOST_KEY_CHARACTERS) {
      throw new IllegalArgumentException("a key has 1 to " + MOST_KEY_CHARACTERS + " characters, not " + key.length());
    }
    if (value.length > MAX_VALUE_BYTES) {
      throw new IllegalArgumentException(
          "the value of '" + key + "' has " + value.length + " bytes where at most " + MAX_VALUE_BYTES + " are allowed");
    }
  }
}
