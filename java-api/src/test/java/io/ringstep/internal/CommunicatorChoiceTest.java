package io.ringstep.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.Communicator;
import io.ringstep.Rendezvous;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code --collective auto} comes to, given what the ranks offer. */
class CommunicatorChoiceTest {
  @ParameterizedTest
  @CsvSource({
    "NCCL, GPU-1, GPU-2, true, true, false",
    "NCCL, GPU-1, GPU-2, false, false, true",
    "NCCL, GPU-1, GPU-1, false, false, false",
    "LOCAL, GPU-1, GPU-1, false, false, true",
    "MPI, GPU-1, '', true, true, false",
    "TCP, '', GPU-1, true, false, false",
    "LOCAL, '', '', false, false, true",
    "MPI, '', '', true, true, false"
  })
  void isTheBestThatAllHave(String expected, String gpu0, String gpu1, String mpi0, String mpi1, boolean threads) {
    List<String[]> offers = List.of(new String[] {mpi0, gpu0}, new String[] {mpi1, gpu1});
    assertEquals(expected, CommunicatorMaker.choose(offers, threads));
  }

  @ParameterizedTest
  @CsvSource({
    "true, 1, false, 23003",
    "true, 1, false, 23007",
    "false, 1, false, 22907",
    "false, 1, true, 23007",
    "false, 0, false, 23007",
    "false, , false, 23007",
    "false, 1, false, 0"
  })
  void aGpuIsSharedOnlyWhereNcclCanAndIsAskedTo(boolean expected, String variable, boolean threads, int nccl) {
    assertEquals(expected, CommunicatorMaker.mayShare(variable, threads, () -> nccl));
  }

  @Test
  void ncclWithoutAGpuIsRefused() {
    try (Rendezvous alone = Rendezvous.inProcess(1, Duration.ofSeconds(20)).get(0)) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> Communicator.of(alone, Communicator.Backend.NCCL));
      assertTrue(e.getMessage().startsWith("nccl needs a GPU for each rank"), e.getMessage());
    }
  }
}
