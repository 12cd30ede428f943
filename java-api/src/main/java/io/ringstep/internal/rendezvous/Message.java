package io.ringstep.internal.rendezvous;

import java.net.ProtocolException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What ranks and the rendezvous say to each other. On the wire, big-endian: the length of the rest
 * (4 bytes), the type (1), the number (4), the name (2 bytes of length, UTF-8), the number of values
 * (4), and each value (4 bytes of length, its bytes).
 *
 * @param number depends on the type: a rank, a kind of failure, a version
 * @param name depends on the type: a key, a reason
 */
record Message(Type type, int number, String name, List<byte[]> values) {
  /** All but the values' bytes of any message. */
  static final int MOST_OVERHEAD = 1 << 19;

  private static final int FIXED_BYTES = 1 + Integer.BYTES + Short.BYTES + Integer.BYTES;

  /** What is said. Names the direction: a rank is a client, the rendezvous the server. */
  enum Type {
    /** Server: the protocol's version; value: a nonce. */
    CHALLENGE,
    /** Client: its rank, what it runs on; values: a nonce, its facts, the proof that it knows the secret. */
    JOIN,
    /** Server: the rank that holds it; values: its own proof, the deadline in nanoseconds. */
    WELCOME,
    /** Server, before it hangs up: the reason; 1 if it may be otherwise soon. */
    REFUSED,
    /** Server: all ranks are here; the address at which the others reach this rank's host. */
    START,
    /** Both. */
    HEARTBEAT,
    /** Client: key and value. */
    PUT,
    /** Client: key. */
    GET,
    /** Server: key and value. */
    VALUE,
    /** Client: name and value. */
    GATHER,
    /** Server: name, and a value of each rank. */
    GATHERED,
    /** Client: gives up; the reason. */
    ABORT,
    /** Client: has seen another fail. Server: the verdict. The rank to blame, the message; value: the kind. */
    FAILURE,
    /** Client: leaves in good order. */
    LEAVE
  }

  private static final Type[] TYPES = Type.values();

  static Message of(Type type) {
    return new Message(type, 0, "", List.of());
  }

  static Message of(Type type, String name, byte[]... values) {
    return new Message(type, 0, name, List.of(values));
  }

  static Message of(Failure failure) {
    byte[] kind = {(byte) failure.kind().ordinal()};
    return new Message(Type.FAILURE, failure.rank(), failure.message(), List.of(kind));
  }

  Failure failure() throws ProtocolException {
    Failure.Kind[] kinds = Failure.Kind.values();
    byte[] kind = value(0);
    if (kind.length != 1 || kind[0] < 0 || kind[0] >= kinds.length) {
      throw new ProtocolException("no such kind of failure");
    }
    return new Failure(kinds[kind[0]], number, name);
  }

  byte[] value(int i) throws ProtocolException {
    if (i >= values.size()) {
      throw new ProtocolException(type + " has " + values.size() + " values");
    }
    return values.get(i);
  }

  /** With the length in front. */
  ByteBuffer encode() {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    int length = FIXED_BYTES + text.length;
    for (byte[] value : values) {
      length = Math.addExact(length, Integer.BYTES + value.length);
    }
    ByteBuffer out = ByteBuffer.allocate(Integer.BYTES + length);
    out.putInt(length).put((byte) type.ordinal()).putInt(number);
    out.putShort((short) text.length).put(text).putInt(values.size());
    for (byte[] value : values) {
      out.putInt(value.length).put(value);
    }
    return out.flip();
  }

  /** Reads a message without its length, from position to limit, trusting nothing. */
  static Message decode(ByteBuffer in) throws ProtocolException {
    try {
      int type = in.get();
      if (type < 0 || type >= TYPES.length) {
        throw new ProtocolException("no message has type " + type);
      }
      int number = in.getInt();
      String name = new String(bytes(in, Short.toUnsignedInt(in.getShort())), StandardCharsets.UTF_8);
      int count = in.getInt();
      if (count < 0 || count > in.remaining() / Integer.BYTES) {
        throw new ProtocolException("a message cannot hold " + count + " values");
      }
      List<byte[]> values = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        values.add(bytes(in, in.getInt()));
      }
      if (in.hasRemaining()) {
        throw new ProtocolException(in.remaining() + " bytes too many in a message");
      }
      return new Message(TYPES[type], number, name, List.copyOf(values));
    } catch (BufferUnderflowException e) {
      throw new ProtocolException("a message was cut short");
    }
  }

  private static byte[] bytes(ByteBuffer in, int length) throws ProtocolException {
    if (length < 0 || length > in.remaining()) {
      throw new ProtocolException("a message was cut short");
    }
    byte[] bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }
}
