package io.ringstep.internal.rendezvous;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.CollectiveTimeoutException;
import io.ringstep.RankMismatchException;
import io.ringstep.Rendezvous;
import io.ringstep.RingstepException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who gets in over TCP and who does not, and that those who do not do no harm. */
@Timeout(60)
class TcpRendezvousTest {
  private static final Duration DEADLINE = Duration.ofSeconds(3);

  private HostPort address;

  @BeforeEach
  void findPort() throws IOException {
    address = new HostPort("127.0.0.1", Ranks.freePort());
  }

  private Rendezvous join(int rank, int worldSize, String secret) {
    return TcpRendezvous.join(address, rank, worldSize, secret, DEADLINE);
  }

  private CompletableFuture<Rendezvous> joining(int rank, int worldSize, String secret) {
    CompletableFuture<Rendezvous> future = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                future.complete(join(rank, worldSize, secret));
              } catch (Throwable e) {
                future.completeExceptionally(e);
              }
            });
    thread.start();
    return future;
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return assertThrows(ExecutionException.class, future::get).getCause();
  }

  @Test
  void listensOnLoopbackAlone() throws Exception {
    try (Rendezvous alone = join(0, 1, "")) {
      assertEquals(1, alone.worldSize());
      boolean reachable = false;
      for (var networks = java.net.NetworkInterface.networkInterfaces().toList().iterator(); networks.hasNext(); ) {
        for (InetAddress own : networks.next().inetAddresses().filter(a -> !a.isLoopbackAddress()).toList()) {
          try (Socket socket = new Socket(own, address.port())) {
            reachable = true;
          } catch (IOException e) {
            // As it should be.
          }
        }
      }
      assertEquals(false, reachable);
    }
  }

  @Test
  void othersMayComeBeforeRankZero() throws Exception {
    CompletableFuture<Rendezvous> one = joining(1, 2, Ranks.SECRET);
    Thread.sleep(300);
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    Ranks.closeAll(List.of(zero.get(), one.get()));
  }

  @Test
  void aTakenPortIsNamed() throws Exception {
    try (ServerSocket other = new ServerSocket(address.port(), 1, InetAddress.getLoopbackAddress())) {
      RingstepException e = assertThrows(RingstepException.class, () -> join(0, 2, Ranks.SECRET));
      assertEquals(
          "the rendezvous port " + address + " is taken by another program; choose another port, or end that program",
          e.getMessage());
    }
  }

  @Test
  void namesRanksThatDoNotArrive() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 4, Ranks.SECRET);
    CompletableFuture<Rendezvous> two = joining(2, 4, Ranks.SECRET);
    for (CompletableFuture<Rendezvous> rank : List.of(zero, two)) {
      CollectiveTimeoutException e = assertInstanceOf(CollectiveTimeoutException.class, failure(rank));
      assertEquals(1, e.rank());
      assertEquals(
          "ranks 1, 3 of 4 did not arrive within 3 s; see that every rank is started and reaches the rendezvous",
          e.getMessage());
    }
  }

  @Test
  void namesTheAddressWhereNobodyListens() {
    CollectiveTimeoutException e =
        assertThrows(CollectiveTimeoutException.class, () -> join(1, 2, Ranks.SECRET));
    assertEquals(0, e.rank());
    assertTrue(
        e.getMessage().matches("no rendezvous at " + address + " within 3 s \\(.*\\); see that rank 0 runs there and can be reached"),
        e.getMessage());
  }

  @Test
  void aWrongSecretIsRefusedAndHarmsNobody() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    RankMismatchException e =
        assertThrows(RankMismatchException.class, () -> join(1, 2, "a guess"));
    assertEquals(
        "the rendezvous " + address + " refused rank 1: the secret differs; give all ranks the same RINGSTEP_SECRET",
        e.getMessage());
    CompletableFuture<Rendezvous> one = joining(1, 2, Ranks.SECRET);
    Ranks.closeAll(List.of(zero.get(), one.get()));
  }

  @Test
  void saysWhoWasRefusedWhenARankIsMissing() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    assertThrows(RankMismatchException.class, () -> join(1, 2, "a guess"));
    assertTrue(failure(zero).getMessage().endsWith("; refused meanwhile: 1 with another secret"));
  }

  @Test
  void aRankThatIsTakenIsRefusedAndTheFirstStays() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 3, Ranks.SECRET);
    CompletableFuture<Rendezvous> one = joining(1, 3, Ranks.SECRET);
    Thread.sleep(500);
    RankMismatchException e =
        assertThrows(RankMismatchException.class, () -> join(1, 3, Ranks.SECRET));
    assertTrue(
        e.getMessage().matches(".* refused rank 1: rank 1 \\(.*, pid [0-9]+\\) is here already; .*"), e.getMessage());
    CompletableFuture<Rendezvous> two = joining(2, 3, Ranks.SECRET);
    Ranks.closeAll(List.of(zero.get(), one.get(), two.get()));
  }

  @Test
  void anotherVersionEndsTheJobOfAll() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    Map<String, String> facts = new LinkedHashMap<>(Handshake.facts(2, 0));
    facts.put("Ringstep", "0.0.9");
    TcpRendezvous.Config config =
        new TcpRendezvous.Config(address, null, 1, 2, 1, Ranks.SECRET, DEADLINE, 0, false);
    RankMismatchException own =
        assertThrows(RankMismatchException.class, () -> TcpRendezvous.join(config, facts));
    RankMismatchException others = assertInstanceOf(RankMismatchException.class, failure(zero));
    String version = Handshake.facts(2, 0).get("Ringstep");
    String text = " has Ringstep 0.0.9 where the job has Ringstep " + version + "; start all ranks alike";
    assertTrue(own.getMessage().endsWith(text), own.getMessage());
    assertTrue(others.getMessage().matches("rank 1 \\(.*\\)" + text), others.getMessage());
    assertEquals(1, others.rank());
  }

  @Test
  void anotherWorldSizeEndsTheJobOfAll() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 3, Ranks.SECRET);
    assertThrows(RankMismatchException.class, () -> join(1, 2, Ranks.SECRET));
    assertTrue(failure(zero).getMessage().contains("world size 2 where the job has world size 3"));
  }

  @Test
  void somethingElseAtTheAddressIsNotTakenForARendezvous() throws Exception {
    try (ServerSocket web = new ServerSocket(address.port(), 5, InetAddress.getLoopbackAddress())) {
      Thread server =
          new Thread(
              () -> {
                try (Socket socket = web.accept()) {
                  socket.getOutputStream().write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes());
                  socket.getInputStream().read();
                } catch (IOException e) {
                  // The rank has left.
                }
              });
      server.start();
      RingstepException e = assertThrows(RingstepException.class, () -> join(1, 2, Ranks.SECRET));
      assertTrue(e.getMessage().startsWith("what listens at " + address + " is no Ringstep rendezvous"), e.getMessage());
      server.join();
    }
  }

  @Test
  void whoListensThereMustKnowTheSecretToo() throws Exception {
    RendezvousServer.Settings settings =
        new RendezvousServer.Settings(address, null, 2, "another secret", DEADLINE, 0, 0);
    try (RendezvousServer server = RendezvousServer.start(settings)) {
      assertThrows(RankMismatchException.class, () -> join(1, 2, Ranks.SECRET));
      assertTrue(server.failure().isEmpty());
    }
  }

  @Test
  void garbageHarmsNobody() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    Thread.sleep(300);
    List<Socket> strangers = new ArrayList<>();
    Random random = new Random(7);
    try {
      for (int i = 0; i < 200; i++) {
        Socket stranger = new Socket(address.host(), address.port());
        strangers.add(stranger);
        throwAt(stranger, garbage(i, random));
      }
      CompletableFuture<Rendezvous> one = joining(1, 2, Ranks.SECRET);
      List<Rendezvous> ranks = List.of(zero.get(), one.get());
      Ranks.values(
          Ranks.each(
              2,
              rank ->
                  () -> {
                    ranks.get(rank).barrier("b");
                    return 0;
                  }));
      Ranks.closeAll(ranks);
    } finally {
      for (Socket stranger : strangers) {
        stranger.close();
      }
    }
  }

  /** Nothing, a lone byte, huge and negative lengths, text, noise, and messages that only ranks may send. */
  private static byte[] garbage(int i, Random random) {
    return switch (i % 8) {
      case 0 -> new byte[0];
      case 1 -> new byte[] {1};
      case 2 -> new byte[] {127, -1, -1, -1, 0};
      case 3 -> new byte[] {-1, -1, -1, -1, 0};
      case 4 -> "GET / HTTP/1.1\r\n\r\n".getBytes();
      case 5 -> {
        byte[] noise = new byte[100_000];
        random.nextBytes(noise);
        yield noise;
      }
      case 6 -> Message.of(Message.Type.ABORT, "a stranger's").encode().array();
      default ->
          new Message(Message.Type.JOIN, 1, "x", List.of(Proof.nonce(), new byte[8], new byte[32])).encode().array();
    };
  }

  private static void throwAt(Socket stranger, byte[] bytes) {
    try {
      OutputStream out = stranger.getOutputStream();
      out.write(bytes);
      out.flush();
    } catch (IOException e) {
      // It was hung up on.
    }
  }

  @Test
  void whoSaysNothingIsHungUpOn() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 1, Ranks.SECRET);
    try (Rendezvous alone = zero.get();
        Socket stranger = new Socket(address.host(), address.port())) {
      long begin = System.nanoTime();
      stranger.getOutputStream().write(0);
      stranger.getInputStream().readAllBytes();
      Duration taken = Duration.ofNanos(System.nanoTime() - begin);
      assertTrue(taken.compareTo(Duration.ofSeconds(15)) < 0, taken.toString());
      alone.barrier("still here");
    }
  }

  @Test
  void aRankThatSendsTooMuchIsItselfToBlame() throws Exception {
    CompletableFuture<Rendezvous> zero = joining(0, 2, Ranks.SECRET);
    Thread.sleep(200);
    try (Socket rogue = new Socket(address.host(), address.port())) {
      RawRank.join(rogue, 1, 2, Ranks.SECRET);
      Rendezvous member = zero.get();
      rogue.getOutputStream().write(new byte[] {127, -1, -1, -1});
      RingstepException e = assertThrows(RingstepException.class, () -> member.barrier("b"));
      assertTrue(e.getMessage().matches("rank 1 \\(.*\\) sent what cannot be: a message of 2147483647 bytes"), e.getMessage());
      member.close();
    }
  }

  @Test
  void aSecretIsAskedForWhereOtherHostsCanReachIt() {
    HostPort everywhere = new HostPort("192.0.2.1", address.port());
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> TcpRendezvous.join(everywhere, 1, 2, "", DEADLINE));
    assertTrue(e.getMessage().contains("RINGSTEP_SECRET"), e.getMessage());
  }

  @Test
  void settingsOutOfRangeAreNamed() {
    assertThrows(IllegalArgumentException.class, () -> join(2, 2, ""));
    assertThrows(IllegalArgumentException.class, () -> join(0, 0, ""));
    assertThrows(
        IllegalArgumentException.class, () -> TcpRendezvous.join(address, 0, 1, "", Duration.ofMillis(10)));
    for (String bad : List.of("", ":1", "host", "host:", "host:x", "host:70000", "::1:5", "host:-1")) {
      assertThrows(IllegalArgumentException.class, () -> HostPort.parse(bad), bad);
    }
    assertEquals(new HostPort("::1", 5), HostPort.parse("[::1]:5"));
    assertEquals("[::1]:5", HostPort.parse("[::1]:5").toString());
  }
}
