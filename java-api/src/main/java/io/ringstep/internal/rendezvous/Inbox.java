package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.RingstepException;
import java.net.ProtocolException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What the job has told one rank, and who waits for it there. */
final class Inbox {
  /** How often a waiting thread looks at the clock. */
  private static final long TICK_MILLIS = 20;

  private final Map<String, byte[]> values = new HashMap<>();
  private final Map<String, Queue<List<byte[]>>> gathered = new HashMap<>();
  private final List<Consumer<CollectiveException>> listeners = new ArrayList<>();
  private boolean started;
  private String hostAddress = "";
  private boolean closed;
  private Failure failure;

  /** Takes a message of the job. */
  void accept(Message message) throws ProtocolException {
    switch (message.type()) {
      case START ->
          update(
              () -> {
                started = true;
                hostAddress = message.name();
              });
      case VALUE -> {
        byte[] value = message.value(0);
        update(() -> values.put(message.name(), value));
      }
      case GATHERED ->
          update(
              () ->
                  gathered
                      .computeIfAbsent(message.name(), name -> new ArrayDeque<>())
                      .add(message.values()));
      case FAILURE -> fail(message.failure());
      case HEARTBEAT -> {}
      default -> throw new ProtocolException(message.type() + " is not for a rank");
    }
  }

  private synchronized void update(Runnable change) {
    change.run();
    notifyAll();
  }

  /** The job has failed. Only the first failure counts. */
  void fail(Failure first) {
    List<Consumer<CollectiveException>> told;
    synchronized (this) {
      if (failure != null || closed) {
        return;
      }
      failure = first;
      told = List.copyOf(listeners);
      notifyAll();
    }
    told.forEach(listener -> listener.accept(first.exception()));
  }

  void onFailure(Consumer<CollectiveException> listener) {
    Failure present;
    synchronized (this) {
      listeners.add(listener);
      present = failure;
    }
    if (present != null) {
      listener.accept(present.exception());
    }
  }

  synchronized Optional<Failure> failure() {
    return Optional.ofNullable(failure);
  }

  /** Known once the job has started. */
  synchronized String hostAddress() {
    return hostAddress;
  }

  /** From now on nothing can be asked, and no failure is news. */
  synchronized void close() {
    closed = true;
    listeners.clear();
    notifyAll();
  }

  /** @throws IllegalStateException after {@link #close()} */
  synchronized void requireOpen() {
    if (closed) {
      throw new IllegalStateException("this Rendezvous is closed");
    }
    if (failure != null) {
      throw failure.exception();
    }
  }

  void awaitStart(Link link, Duration bound) {
    await(link, bound, "all ranks", () -> started ? Boolean.TRUE : null);
  }

  byte[] awaitValue(Link link, Duration bound, String key) {
    return await(link, bound, "'" + key + "'", () -> values.get(key));
  }

  List<byte[]> awaitGathered(Link link, Duration bound, String name) {
    return await(
        link, bound, "'" + name + "'",
        () -> gathered.containsKey(name) ? gathered.get(name).poll() : null);
  }

  /** Waits for the verdict on a failure, which does not throw here. */
  Optional<Failure> awaitFailure(Link link, Duration bound) {
    long end = System.nanoTime() + bound.toNanos();
    while (failure().isEmpty() && System.nanoTime() < end) {
      link.tick();
      pause();
    }
    return failure();
  }

  /** @param ready gives null while there is nothing yet */
  private <T> T await(Link link, Duration bound, String what, Supplier<T> ready) {
    long end = System.nanoTime() + bound.toNanos();
    while (true) {
      link.tick();
      synchronized (this) {
        requireOpen();
        T result = ready.get();
        if (result != null) {
          return result;
        }
        if (System.nanoTime() > end) {
          throw new CollectiveTimeoutException(
              CollectiveException.NO_RANK,
              "the rendezvous has not answered for " + bound.toSeconds() + " s, asked for " + what);
        }
        pause();
      }
    }
  }

  private synchronized void pause() {
    try {
      wait(TICK_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RingstepException("interrupted while waiting for other ranks", e);
    }
  }
}
