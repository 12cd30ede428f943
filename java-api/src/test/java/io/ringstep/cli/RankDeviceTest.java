package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.ringstep.Device;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which GPU a rank takes, by the variables of each launcher. */
class RankDeviceTest {
  private static final IntSupplier NOT_ASKED =
      () -> {
        throw new AssertionError("nobody need look for GPUs");
      };

  /** The second of two hosts' four ranks each: rank 4 + local rank of 8. */
  enum Launcher {
    TORCHRUN("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    OPEN_MPI("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    PMI("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    SLURM("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID");

    private final String rank;
    private final String size;
    private final String localRank;

    Launcher(String rank, String size, String localRank) {
      this.rank = rank;
      this.size = size;
      this.localRank = localRank;
    }

    Map<String, String> variables(int local) {
      Map<String, String> variables = new HashMap<>(Map.of("RINGSTEP_RENDEZVOUS", "gpu1:29500"));
      variables.put(rank, Integer.toString(4 + local));
      variables.put(size, "8");
      variables.put(localRank, Integer.toString(local));
      return variables;
    }
  }

  private static String own(String device, Map<String, String> variables, IntSupplier gpus) {
    return RankSession.own(Device.parse(device), variables, gpus).toString();
  }

  @ParameterizedTest
  @EnumSource
  void eachTakesTheGpuOfItsNumberOnItsHost(Launcher launcher) {
    for (int local = 0; local < 4; local++) {
      Map<String, String> variables = launcher.variables(local);
      assertEquals("cuda:" + local, own("cuda", variables, () -> 4));
      assertEquals("cuda:" + (local % 2 == 0 ? 1 : 3), own("cuda:1,3", variables, NOT_ASKED));
      assertEquals("cuda:2", own("cuda:2", variables, NOT_ASKED));
      // What the launcher lets a rank alone see has number 0.
      assertEquals("cuda:0", own("cuda", variables, () -> 1));
    }
  }

  @ParameterizedTest
  @EnumSource
  void moreRanksThanGpusAreRefused(Launcher launcher) {
    UsageException e = assertThrows(UsageException.class, () -> own("cuda", launcher.variables(2), () -> 2));
    assertEquals(
        "device cuda: rank 6 has no GPU of its own: it is number 2 of the ranks on its host, counted from 0, which has"
            + " 2 GPUs; start as many ranks on a host as it has GPUs",
        e.getMessage());
  }

  @Test
  void otherDevicesAreAsTheyWere() {
    Map<String, String> variables = Launcher.TORCHRUN.variables(3);
    assertSame(Device.cpu(), RankSession.own(Device.cpu(), variables, NOT_ASKED));
    // Ranks that chose for themselves might choose differently.
    assertSame(Device.cpu(), RankSession.own(Device.auto(), variables, NOT_ASKED));
    assertSame(Device.auto(), RankSession.own(Device.auto(), Map.of(), NOT_ASKED));
    assertEquals("cuda:0", own("cuda", Map.of(), NOT_ASKED));
  }
}
