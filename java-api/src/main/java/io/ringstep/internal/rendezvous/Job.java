package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.Rendezvous;
import java.net.InetAddress;
import java.net.ProtocolException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The state of one job: who is there, what was put, who waits for what, and the one failure that
 * counts. Knows no sockets and no threads: callers serialize the calls, and say what time it is in
 * nanoseconds.
 */
final class Job {
  /** So long a report of one rank on another waits for better evidence, such as a lost connection. */
  static final Duration GRACE = Duration.ofMillis(500);

  private static final int MOST_KEYS = 100_000;
  private static final long MOST_STORED_BYTES = 256L << 20;

  private final int worldSize;
  private final Duration deadline;
  private final Duration patience;
  private final long begin;
  private final Rank[] ranks;
  private final Map<String, byte[]> values = new HashMap<>();
  private final Map<String, Wait> gets = new HashMap<>();
  private final Map<String, Gathering> gatherings = new LinkedHashMap<>();
  private final List<Suspicion> suspicions = new ArrayList<>();
  private long storedBytes;
  private int arrived;
  private Failure failure;
  private String hint = "";

  /**
   * @param patience how long a lost connection waits for a better reason, where somebody may know one
   * @param now the time from which the ranks have the deadline to arrive
   */
  Job(int worldSize, Duration deadline, Duration patience, long now) {
    this.worldSize = worldSize;
    this.deadline = deadline;
    this.patience = patience;
    this.begin = now;
    this.ranks = new Rank[worldSize];
  }

  private static final class Rank {
    final String description;
    final Route route;
    final Consumer<Message> mail;
    boolean left;

    Rank(String description, Route route, Consumer<Message> mail) {
      this.description = description;
      this.route = route;
      this.mail = mail;
    }
  }

  /**
   * How a rank and the job reach each other.
   *
   * @param rank the address at which the job sees the rank
   * @param job the address at which the rank sees the job
   */
  record Route(InetAddress rank, InetAddress job) {}

  private static final class Wait {
    final TreeSet<Integer> ranks = new TreeSet<>();
    final long since;

    Wait(long since) {
      this.since = since;
    }
  }

  /** One use of a name; the ranks' k-th uses belong together. */
  private static final class Gathering {
    final byte[][] values;
    final long since;
    int count;
    long bytes;

    Gathering(int worldSize, long since) {
      this.values = new byte[worldSize][];
      this.since = since;
    }
  }

  /** @param accuser the rank that says so, or {@link CollectiveException#NO_RANK} where the job itself saw it */
  private record Suspicion(int accuser, Failure failure, long due) {}

  boolean has(int rank) {
    return ranks[rank] != null;
  }

  /** For example {@code rank 2 (gpu-node-7, pid 4711)}. */
  String name(int rank) {
    String description = ranks[rank] == null ? "" : ranks[rank].description;
    return "rank " + rank + (description.isEmpty() ? "" : " (" + description + ")");
  }

  Optional<Failure> failure() {
    return Optional.ofNullable(failure);
  }

  /** Whether every rank came and left in good order. */
  boolean isOver() {
    return Arrays.stream(ranks).allMatch(rank -> rank != null && rank.left);
  }

  /** What to add when ranks do not arrive, for instance that somebody was turned away. */
  void hint(String text) {
    hint = text;
  }

  /**
   * A rank that was not here before.
   *
   * @param mail how it gets its messages; must not wait
   */
  void arrive(int rank, String description, Route route, Consumer<Message> mail) {
    ranks[rank] = new Rank(description, route, mail);
    arrived++;
    if (failure != null) {
      mail.accept(Message.of(failure));
    } else if (arrived == worldSize) {
      start();
    }
  }

  /** Ranks beside the rendezvous are seen at the loopback address; others reach them where they reach it. */
  private void start() {
    Optional<InetAddress> outward =
        Arrays.stream(ranks)
            .map(rank -> rank.route)
            .filter(route -> !route.rank.isLoopbackAddress())
            .map(Route::job)
            .findFirst();
    for (Rank rank : ranks) {
      InetAddress seen = rank.route.rank;
      InetAddress address = seen.isLoopbackAddress() ? outward.orElse(seen) : seen;
      rank.mail.accept(Message.of(Message.Type.START, address.getHostAddress()));
    }
  }

  /**
   * What a rank says.
   *
   * @throws ProtocolException if a rank would not say that
   */
  void receive(int rank, Message message, long now) throws ProtocolException {
    switch (message.type()) {
      case HEARTBEAT -> {}
      case PUT -> put(rank, message.name(), message.value(0));
      case GET -> get(rank, message.name(), now);
      case GATHER -> gather(rank, message.name(), message.value(0), now);
      case ABORT -> fail(Failure.Kind.DEAD, rank, name(rank) + " gave up: " + message.name());
      case FAILURE -> suspect(rank, message.failure(), now);
      case LEAVE -> leave(rank);
      default -> throw new ProtocolException(message.type() + " is not for the rendezvous");
    }
  }

  private void put(int rank, String key, byte[] value) {
    storedBytes += value.length;
    if (values.size() >= MOST_KEYS || storedBytes > MOST_STORED_BYTES) {
      fail(Failure.Kind.BROKEN, rank, name(rank) + " put more into the rendezvous than it holds, at key '" + key + "'");
    } else if (values.putIfAbsent(key, value) != null) {
      fail(Failure.Kind.BROKEN, rank, name(rank) + " put '" + key + "', which is there already");
    } else if (gets.containsKey(key)) {
      gets.remove(key).ranks.forEach(waiting -> send(waiting, Message.of(Message.Type.VALUE, key, value)));
    }
  }

  private void get(int rank, String key, long now) {
    byte[] value = values.get(key);
    if (value == null) {
      gets.computeIfAbsent(key, k -> new Wait(now)).ranks.add(rank);
    } else {
      send(rank, Message.of(Message.Type.VALUE, key, value));
    }
  }

  private void gather(int rank, String name, byte[] value, long now) {
    int round = 0;
    while (has(name, round) && gatherings.get(id(name, round)).values[rank] != null) {
      round++;
    }
    Gathering gathering = gatherings.computeIfAbsent(id(name, round), id -> new Gathering(worldSize, now));
    gathering.values[rank] = value;
    gathering.count++;
    gathering.bytes += value.length;
    if (gathering.bytes > Rendezvous.MAX_VALUE_BYTES) {
      fail(
          Failure.Kind.BROKEN, rank,
          "the ranks' values of '" + name + "' have more than " + Rendezvous.MAX_VALUE_BYTES + " bytes together");
    } else if (gathering.count == worldSize) {
      complete(name, gathering);
    } else {
      requirePresent(name, gathering);
    }
  }

  /** The first round that is under way is the one that all have to come to first. */
  private void complete(String name, Gathering gathering) {
    gatherings.remove(id(name, 0));
    for (int round = 1; has(name, round); round++) {
      gatherings.put(id(name, round - 1), gatherings.remove(id(name, round)));
    }
    broadcast(new Message(Message.Type.GATHERED, 0, name, List.of(gathering.values)));
  }

  private boolean has(String name, int round) {
    return gatherings.containsKey(id(name, round));
  }

  private static String id(String name, int round) {
    return round + "/" + name;
  }

  private static String nameOf(String id) {
    return id.substring(id.indexOf('/') + 1);
  }

  /** Whoever has left will not come any more. */
  private void requirePresent(String name, Gathering gathering) {
    for (int rank = 0; rank < worldSize; rank++) {
      if (ranks[rank] != null && ranks[rank].left && gathering.values[rank] == null) {
        fail(Failure.Kind.DEAD, rank, name(rank) + " ended while others wait for it at '" + name + "'");
        return;
      }
    }
  }

  private void leave(int rank) {
    ranks[rank].left = true;
    gatherings.forEach((id, gathering) -> requirePresent(nameOf(id), gathering));
  }

  /** A rank cannot be reached any more, unless it has left. */
  void lose(int rank, Failure.Kind kind, String reason, long now) {
    if (failure == null && !ranks[rank].left) {
      int firstReport = 0;
      while (firstReport < suspicions.size() && suspicions.get(firstReport).accuser == CollectiveException.NO_RANK) {
        firstReport++;
      }
      // Before all reports of ranks: this is seen at first hand.
      suspicions.add(
          firstReport,
          new Suspicion(
              CollectiveException.NO_RANK, new Failure(kind, rank, name(rank) + " " + reason), now + patience.toNanos()));
    }
  }

  /** One rank has seen another fail, and may be wrong: its neighbour may be a victim as it is itself. */
  private void suspect(int accuser, Failure seen, long now) {
    if (failure == null) {
      suspicions.add(new Suspicion(accuser, seen, now + GRACE.toNanos()));
    }
  }

  private void judge(long now) {
    if (suspicions.stream().noneMatch(suspicion -> now - suspicion.due >= 0)) {
      return;
    }
    IntPredicate accuses =
        rank -> rank >= 0 && suspicions.stream().anyMatch(suspicion -> suspicion.accuser == rank);
    Suspicion likely =
        suspicions.stream()
            .filter(suspicion -> !accuses.test(suspicion.failure.rank()))
            .findFirst()
            .orElse(suspicions.get(0));
    fail(likely.failure);
  }

  /** Looks at the clock: deadlines may have passed. */
  void tick(long now) {
    judge(now);
    if (failure != null) {
      return;
    }
    if (arrived < worldSize && isLate(begin, now)) {
      String missing = list(rank -> ranks[rank] == null);
      fail(
          Failure.Kind.SILENT, missing(),
          missing + " of " + worldSize + " did not arrive within " + Text.seconds(deadline)
              + "; see that every rank is started and reaches the rendezvous" + hint);
      return;
    }
    for (Map.Entry<String, Gathering> entry : gatherings.entrySet()) {
      if (isLate(entry.getValue().since, now)) {
        byte[][] present = entry.getValue().values;
        fail(
            Failure.Kind.SILENT, first(rank -> present[rank] == null),
            list(rank -> present[rank] == null) + " did not come to '" + nameOf(entry.getKey()) + "' within "
                + Text.seconds(deadline));
        return;
      }
    }
    gets.entrySet().stream()
        .filter(entry -> isLate(entry.getValue().since, now))
        .findFirst()
        .ifPresent(
            entry ->
                fail(
                    Failure.Kind.SILENT, CollectiveException.NO_RANK,
                    "no rank has put '" + entry.getKey() + "' within " + Text.seconds(deadline)));
  }

  private boolean isLate(long since, long now) {
    return now - since > deadline.toNanos();
  }

  private int missing() {
    return first(rank -> ranks[rank] == null);
  }

  private int first(IntPredicate which) {
    return IntStream.range(0, worldSize).filter(which).findFirst().orElse(CollectiveException.NO_RANK);
  }

  private String list(IntPredicate which) {
    int[] found = IntStream.range(0, worldSize).filter(which).toArray();
    String numbers = Arrays.stream(found).mapToObj(Integer::toString).collect(Collectors.joining(", "));
    return found.length == 1 ? name(found[0]) : "ranks " + numbers;
  }

  void fail(Failure.Kind kind, int rank, String message) {
    fail(new Failure(kind, rank, message));
  }

  /** Tells everybody. Only the first failure counts. */
  void fail(Failure first) {
    if (failure == null) {
      failure = Objects.requireNonNull(first);
      broadcast(Message.of(first));
    }
  }

  private void broadcast(Message message) {
    for (int rank = 0; rank < worldSize; rank++) {
      send(rank, message);
    }
  }

  private void send(int rank, Message message) {
    if (ranks[rank] != null && !ranks[rank].left) {
      ranks[rank].mail.accept(message);
    }
  }
}
