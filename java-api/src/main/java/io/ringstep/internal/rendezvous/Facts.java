package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Things that ranks must agree on, by name, as bytes and compared. */
final class Facts {
  private Facts() {}

  static byte[] encode(Map<String, String> facts) {
    List<byte[]> words = new ArrayList<>();
    facts.forEach(
        (name, value) -> {
          words.add(name.getBytes(StandardCharsets.UTF_8));
          words.add(value.getBytes(StandardCharsets.UTF_8));
        });
    ByteBuffer message = new Message(Message.Type.VALUE, 0, "", words).encode();
    byte[] bytes = new byte[message.remaining() - Integer.BYTES];
    message.position(Integer.BYTES).get(bytes);
    return bytes;
  }

  static Map<String, String> decode(byte[] bytes) throws ProtocolException {
    List<byte[]> words = Message.decode(ByteBuffer.wrap(bytes)).values();
    if (words.size() % 2 != 0) {
      throw new ProtocolException("a fact has no value");
    }
    Map<String, String> facts = new LinkedHashMap<>();
    for (int i = 0; i < words.size(); i += 2) {
      facts.put(text(words.get(i)), text(words.get(i + 1)));
    }
    return facts;
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** The first rank that differs from rank 0, and in what. */
  static Optional<Failure> difference(List<Map<String, String>> ofRanks) {
    for (int rank = 1; rank < ofRanks.size(); rank++) {
      Optional<String> text = difference(ofRanks.get(rank), ofRanks.get(0), "rank 0");
      if (text.isPresent()) {
        return Optional.of(
            new Failure(
                Failure.Kind.DIFFERENT, rank,
                "rank " + rank + " has " + text.get() + "; start all ranks alike"));
      }
    }
    return Optional.empty();
  }

  /** For example {@code batch 64, learning rate 0.1 where rank 0 has batch 32, learning rate 0.2}. */
  static Optional<String> difference(
      Map<String, String> facts, Map<String, String> expected, String whose) {
    Set<String> names = new LinkedHashSet<>(expected.keySet());
    names.addAll(facts.keySet());
    names.removeIf(name -> String.valueOf(facts.get(name)).equals(String.valueOf(expected.get(name))));
    return names.isEmpty()
        ? Optional.empty()
        : Optional.of(list(facts, names) + " where " + whose + " has " + list(expected, names));
  }

  private static String list(Map<String, String> facts, Set<String> names) {
    return names.stream()
        .map(name -> facts.containsKey(name) ? name + " " + facts.get(name) : "no " + name)
        .collect(Collectors.joining(", "));
  }

  /** Compares what all ranks said. */
  static Optional<Failure> compare(List<byte[]> ofRanks) {
    List<Map<String, String>> decoded = new ArrayList<>();
    for (byte[] facts : ofRanks) {
      try {
        decoded.add(decode(facts));
      } catch (ProtocolException e) {
        return Optional.of(
            new Failure(
                Failure.Kind.BROKEN, CollectiveException.NO_RANK, "a rank's facts are malformed: " + e.getMessage()));
      }
    }
    return difference(decoded);
  }
}
