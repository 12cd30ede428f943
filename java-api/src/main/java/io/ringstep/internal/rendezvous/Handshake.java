package io.ringstep.internal.rendezvous;

import io.ringstep.Rendezvous;
import io.ringstep.engine.Engine;
import io.ringstep.internal.Native;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** What both sides show each other before a rank is let in. */
final class Handshake {
  /** Of the messages. A rank of another version is told so by its library's version. */
  static final int PROTOCOL = 0x52535031;

  /** Enough for a challenge, a join or a welcome. */
  static final int LARGEST_MESSAGE = 4096;

  static final int LARGEST_MEMBER_MESSAGE = Rendezvous.MAX_VALUE_BYTES + Message.MOST_OVERHEAD;

  static final String CLIENT = "ringstep rank";
  /** What the key of connections between ranks is derived for. */
  static final String DATA_PLANE = "ringstep data plane";

  static final String SERVER = "ringstep rendezvous";

  /** The fact that is put right by waiting: a group that is being restarted. */
  static final String ATTEMPT = "attempt";

  private Handshake() {}

  /** What rank and rendezvous must have in common. */
  static Map<String, String> facts(int worldSize, int attempt) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("Ringstep", Native.version());
    facts.put("C ABI", Integer.toString(Engine.RS_ABI_VERSION));
    facts.put("world size", Integer.toString(worldSize));
    facts.put(ATTEMPT, Integer.toString(attempt));
    return facts;
  }

  static byte[] bytes(long number) {
    return ByteBuffer.allocate(Long.BYTES).putLong(number).array();
  }
}
