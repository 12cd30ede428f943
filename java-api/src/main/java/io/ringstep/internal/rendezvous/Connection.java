package io.ringstep.internal.rendezvous;

import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Messages over a socket that never blocks. One thread, that of the selector, reads and writes; any
 * thread may {@link #send}.
 */
final class Connection {
  private static final int FIRST_BUFFER = 1 << 12;

  /** A peer that reads nothing while so much waits for it is given up. */
  private static final long MOST_QUEUED = 64L << 20;

  private final SocketChannel channel;
  private final SelectionKey key;
  private final Deque<ByteBuffer> out = new ArrayDeque<>();
  private long queued;
  private int largest;
  private ByteBuffer in = ByteBuffer.allocate(FIRST_BUFFER);

  /** @param largest bytes of a message that the peer may send */
  Connection(SocketChannel channel, Selector selector, int largest) throws IOException {
    this.channel = channel;
    this.largest = largest;
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    this.key = channel.register(selector, SelectionKey.OP_READ, this);
  }

  void allow(int largest) {
    this.largest = largest;
  }

  /** The whole messages that are there. */
  List<Message> receive() throws IOException {
    List<Message> messages = new ArrayList<>();
    int count = channel.read(in);
    while (count > 0) {
      in.flip();
      while (hasMessage()) {
        messages.add(next());
      }
      in.compact();
      makeRoom();
      count = channel.read(in);
    }
    if (count < 0 && messages.isEmpty()) {
      throw new EOFException("the connection ended");
    }
    return messages;
  }

  private boolean hasMessage() throws ProtocolException {
    if (in.remaining() < Integer.BYTES) {
      return false;
    }
    int length = in.getInt(in.position());
    if (length < 0 || length > largest) {
      throw new ProtocolException("a message of " + Integer.toUnsignedString(length) + " bytes");
    }
    return in.remaining() - Integer.BYTES >= length;
  }

  private Message next() throws ProtocolException {
    int length = in.getInt();
    ByteBuffer body = in.slice(in.position(), length);
    in.position(in.position() + length);
    return Message.decode(body);
  }

  /** The length was checked, so a full buffer holds the beginning of a message that is allowed. */
  private void makeRoom() {
    if (!in.hasRemaining()) {
      int wanted = Math.max(2 * in.capacity(), FIRST_BUFFER);
      in = ByteBuffer.allocate(wanted).put(in.flip());
    }
  }

  /** Queues a message; {@link #flush} sends it. */
  void send(Message message) {
    ByteBuffer bytes = message.encode();
    synchronized (out) {
      queued += bytes.remaining();
      out.add(bytes);
    }
  }

  /** Sends as much as the socket takes, and asks the selector to say when it takes more. */
  void flush() throws IOException {
    synchronized (out) {
      while (!out.isEmpty() && write(out.peek())) {
        out.remove();
      }
      if (queued > MOST_QUEUED) {
        throw new IOException("the other side does not read");
      }
      key.interestOps(out.isEmpty() ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE);
    }
  }

  private boolean write(ByteBuffer bytes) throws IOException {
    queued -= channel.write(bytes);
    return !bytes.hasRemaining();
  }

  /** How both sides reach each other. */
  Job.Route route() {
    return new Job.Route(channel.socket().getInetAddress(), channel.socket().getLocalAddress());
  }

  /** Says that nothing more will be sent. */
  void endOutput() throws IOException {
    channel.shutdownOutput();
  }

  /** Tries to send what is queued, and hangs up. */
  void close() {
    try (channel) {
      if (channel.isConnected() && key.isValid()) {
        flush();
      }
    } catch (IOException e) {
      // The other side is gone already.
    } finally {
      key.cancel();
    }
  }
}
