package io.ringstep.internal.rendezvous;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.RankFailedException;
import io.ringstep.RankMismatchException;
import io.ringstep.Rendezvous;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What ranks say to each other, and what becomes of failures, whatever the link. */
@Timeout(60)
class RendezvousTest {
  private static final Duration DEADLINE = Duration.ofSeconds(2);

  private final List<Rendezvous> ranks = new ArrayList<>();

  enum Kind {
    IN_PROCESS,
    TCP
  }

  private void start(Kind kind, int worldSize) throws Exception {
    ranks.addAll(
        kind == Kind.TCP ? Ranks.tcp(worldSize, DEADLINE) : Rendezvous.inProcess(worldSize, DEADLINE));
  }

  @AfterEach
  void leavesNoThread() throws Exception {
    if (!ranks.isEmpty()) {
      Ranks.closeAll(ranks);
    }
    List<String> threads =
        Thread.getAllStackTraces().keySet().stream()
            .filter(Thread::isAlive)
            .map(Thread::getName)
            .filter(name -> name.startsWith("ringstep-"))
            .toList();
    assertEquals(List.of(), threads);
  }

  @ParameterizedTest
  @EnumSource
  void tellsEachRankWhoItIs(Kind kind) throws Exception {
    start(kind, 5);
    for (int rank = 0; rank < 5; rank++) {
      assertEquals(rank, ranks.get(rank).rank());
      assertEquals(5, ranks.get(rank).worldSize());
      assertEquals(DEADLINE, ranks.get(rank).deadline());
    }
  }

  @ParameterizedTest
  @EnumSource
  void passesValuesToThoseWhoWaitAndThoseWhoComeLater(Kind kind) throws Exception {
    start(kind, 3);
    byte[] large = new byte[Rendezvous.MAX_VALUE_BYTES];
    large[large.length - 1] = 7;
    List<byte[]> got =
        Ranks.values(
            Ranks.each(
                3,
                rank ->
                    () -> {
                      if (rank == 1) {
                        Thread.sleep(100);
                        ranks.get(1).put("large", large);
                      }
                      return ranks.get(rank).get("large");
                    }));
    got.forEach(value -> assertArrayEquals(large, value));
    assertArrayEquals(large, ranks.get(2).get("large"));
  }

  @ParameterizedTest
  @EnumSource
  void gathersByRankAndByRound(Kind kind) throws Exception {
    start(kind, 4);
    List<List<String>> got =
        Ranks.values(
            Ranks.each(
                4,
                rank ->
                    () -> {
                      List<String> rounds = new ArrayList<>();
                      for (int round = 0; round < 50; round++) {
                        ranks.get(rank).barrier("b");
                        byte[] value = (rank + ":" + round).getBytes(UTF_8);
                        rounds.add(
                            ranks.get(rank).allGather("g", value).stream()
                                .map(bytes -> new String(bytes, UTF_8))
                                .toList()
                                .toString());
                      }
                      return rounds;
                    }));
    List<String> expected =
        IntStream.range(0, 50)
            .mapToObj(round -> IntStream.range(0, 4).mapToObj(rank -> rank + ":" + round).toList().toString())
            .toList();
    got.forEach(rounds -> assertEquals(expected, rounds));
  }

  @ParameterizedTest
  @EnumSource
  void agreesOrNamesTheRankThatDiffers(Kind kind) throws Exception {
    start(kind, 3);
    Ranks.values(Ranks.each(3, rank -> agree(rank, Map.of("batch", "32"))));
    List<Ranks.Outcome<Object>> outcomes =
        Ranks.each(3, rank -> agree(rank, Map.of("batch", rank == 2 ? "64" : "32", "seed", "0")));
    for (Ranks.Outcome<Object> outcome : outcomes) {
      RankMismatchException e = assertInstanceOf(RankMismatchException.class, outcome.failure());
      assertEquals(2, e.rank());
      assertEquals("rank 2 has batch 64 where rank 0 has batch 32; start all ranks alike", e.getMessage());
    }
    assertThrows(RankMismatchException.class, () -> ranks.get(0).barrier("after"));
  }

  private java.util.concurrent.Callable<Object> agree(int rank, Map<String, String> facts) {
    return () -> {
      ranks.get(rank).agree("settings", facts);
      return null;
    };
  }

  @ParameterizedTest
  @EnumSource
  void tellsEverybodyWhoGaveUp(Kind kind) throws Exception {
    start(kind, 3);
    BlockingQueue<CollectiveException> heard = new LinkedBlockingQueue<>();
    ranks.get(0).onFailure(heard::add);
    List<Ranks.Outcome<Object>> outcomes =
        Ranks.each(
            3,
            rank ->
                () -> {
                  if (rank == 1) {
                    ranks.get(1).abort("the disk\nis full");
                  }
                  ranks.get(rank).barrier("never");
                  return null;
                });
    for (Ranks.Outcome<Object> outcome : outcomes) {
      RankFailedException e = assertInstanceOf(RankFailedException.class, outcome.failure());
      assertEquals(1, e.rank());
      assertTrue(e.getMessage().matches("rank 1.* gave up: the disk\\?is full"), e.getMessage());
    }
    assertEquals(1, heard.poll(5, TimeUnit.SECONDS).rank());
    BlockingQueue<CollectiveException> late = new LinkedBlockingQueue<>();
    ranks.get(2).onFailure(late::add);
    assertEquals(1, late.poll().rank());
    assertEquals(1, ranks.get(2).failure().orElseThrow().rank());
  }

  @ParameterizedTest
  @EnumSource
  void namesWhoDidNotCome(Kind kind) throws Exception {
    start(kind, 4);
    List<Ranks.Outcome<Object>> outcomes =
        Ranks.each(
            2,
            rank ->
                () -> {
                  ranks.get(rank).barrier("start");
                  return null;
                });
    for (Ranks.Outcome<Object> outcome : outcomes) {
      CollectiveTimeoutException e =
          assertInstanceOf(CollectiveTimeoutException.class, outcome.failure());
      assertEquals(2, e.rank());
      assertEquals("ranks 2, 3 did not come to 'start' within 2 s", e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void aKeyThatNobodyPutsEndsAtTheDeadline(Kind kind) throws Exception {
    start(kind, 2);
    CollectiveTimeoutException e =
        assertThrows(CollectiveTimeoutException.class, () -> ranks.get(1).get("nothing"));
    assertEquals("no rank has put 'nothing' within 2 s", e.getMessage());
  }

  @ParameterizedTest
  @EnumSource
  void whoHasLeftIsNotWaitedFor(Kind kind) throws Exception {
    start(kind, 3);
    ranks.get(1).close();
    ranks.get(1).close();
    assertThrows(IllegalStateException.class, () -> ranks.get(1).barrier("b"));
    RankFailedException e =
        assertThrows(RankFailedException.class, () -> ranks.get(0).barrier("b"));
    assertTrue(e.getMessage().matches("rank 1.* ended while others wait for it at 'b'"), e.getMessage());
  }

  @ParameterizedTest
  @EnumSource
  void blamesTheFirstCauseAndNotItsVictim(Kind kind) throws Exception {
    start(kind, 4);
    // 3 sees its neighbour 2 hang up, which 2 did because it saw 1 fail.
    List<Ranks.Outcome<CollectiveException>> outcomes =
        Ranks.each(
            4,
            rank ->
                () ->
                    switch (rank) {
                      case 3 -> ranks.get(3).report(new RankFailedException(2, "rank 2 hung up on rank 3"));
                      case 2 -> ranks.get(2).report(new RankFailedException(1, "rank 1 hung up on rank 2"));
                      default -> {
                        assertThrows(CollectiveException.class, () -> ranks.get(rank).barrier("b"));
                        yield ranks.get(rank).failure().orElseThrow();
                      }
                    });
    for (CollectiveException verdict : Ranks.values(outcomes)) {
      assertInstanceOf(RankFailedException.class, verdict);
      assertEquals("rank 1 hung up on rank 2", verdict.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void refusesTwoRanksOnOneGpu(Kind kind) throws Exception {
    start(kind, 3);
    List<Ranks.Outcome<Object>> outcomes =
        Ranks.each(
            3,
            rank ->
                () -> {
                  DeviceClaims.require(ranks.get(rank), rank == 1 ? "GPU-1" : "GPU-0", "NVIDIA H100", false);
                  return null;
                });
    for (Ranks.Outcome<Object> outcome : outcomes) {
      RankMismatchException e = assertInstanceOf(RankMismatchException.class, outcome.failure());
      assertTrue(e.getMessage().startsWith("ranks 0 and 2 are on one GPU, NVIDIA H100 (GPU-0)"), e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource
  void ranksOnTheCpuClaimNothing(Kind kind) throws Exception {
    start(kind, 3);
    Ranks.values(
        Ranks.each(
            3,
            rank ->
                () -> {
                  DeviceClaims.require(ranks.get(rank), rank == 1 ? "GPU-0" : "", "NVIDIA H100", false);
                  return null;
                }));
  }

  @ParameterizedTest
  @EnumSource
  void letsRanksShareAGpuThatAllWantToShare(Kind kind) throws Exception {
    start(kind, 2);
    Ranks.values(
        Ranks.each(
            2,
            rank ->
                () -> {
                  DeviceClaims.require(ranks.get(rank), "GPU-0", "NVIDIA H100", true);
                  return null;
                }));
  }

  @ParameterizedTest
  @EnumSource
  void refusesWhatItCannotHold(Kind kind) throws Exception {
    start(kind, 2);
    Rendezvous rank = ranks.get(0);
    assertThrows(
        IllegalArgumentException.class, () -> rank.put("k", new byte[Rendezvous.MAX_VALUE_BYTES + 1]));
    assertThrows(IllegalArgumentException.class, () -> rank.put("", new byte[0]));
    assertThrows(IllegalArgumentException.class, () -> rank.get("k".repeat(257)));
    rank.put("k", new byte[1]);
    rank.get("k");
    ranks.get(1).put("k", new byte[2]);
    CollectiveException e = assertThrows(CollectiveException.class, () -> ranks.get(1).get("other"));
    assertTrue(e.getMessage().endsWith("put 'k', which is there already"), e.getMessage());
  }
}
