package io.ringstep.internal.rendezvous;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.List;

/** A rank that knows the secret and the handshake, to misbehave afterwards. */
final class RawRank {
  private RawRank() {}

  static void join(Socket socket, int rank, int worldSize, String secret) throws IOException {
    Message challenge = read(socket);
    byte[] nonce = Proof.nonce();
    byte[] facts = Facts.encode(Handshake.facts(worldSize, 0));
    byte[] answer =
        new Proof(secret).of(Handshake.CLIENT, challenge.value(0), nonce, Handshake.bytes(rank), facts);
    Message join = new Message(Message.Type.JOIN, rank, "a rogue", List.of(nonce, facts, answer));
    socket.getOutputStream().write(join.encode().array());
    Message welcome = read(socket);
    if (welcome.type() != Message.Type.WELCOME) {
      throw new IOException("not welcome: " + welcome);
    }
  }

  private static Message read(Socket socket) throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    byte[] body = new byte[in.readInt()];
    in.readFully(body);
    return Message.decode(ByteBuffer.wrap(body));
  }
}
