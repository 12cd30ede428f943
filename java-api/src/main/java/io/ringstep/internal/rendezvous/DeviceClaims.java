package io.ringstep.internal.rendezvous;

import io.ringstep.Rendezvous;
import io.ringstep.RankMismatchException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Sees to it that every rank that trains on a GPU has one of its own: NCCL asks for it, and two would only be slower. */
public final class DeviceClaims {
  /** With 1, NCCL from 2.30.3 on lets several ranks share a GPU. */
  public static final String SHARING = "NCCL_MULTI_RANK_GPU_ENABLE";

  private DeviceClaims() {}

  /**
   * Waits for the claims of all ranks, and compares them.
   *
   * @param uuid of this rank's GPU, such as {@code GPU-5f0b…}; unique in the world; empty where it has none
   * @param name of this rank's GPU, for messages
   * @param sharing whether this rank has {@link #SHARING} set; all must, for it to count
   * @throws RankMismatchException on every rank, if two have one GPU
   */
  public static void require(Rendezvous rendezvous, String uuid, String name, boolean sharing) {
    List<byte[]> claims = rendezvous.allGather("devices", (uuid + "\n" + sharing + "\n" + name).getBytes(StandardCharsets.UTF_8));
    Map<String, Integer> owners = new HashMap<>();
    for (int rank = 0; rank < claims.size(); rank++) {
      String[] claim = new String(claims.get(rank), StandardCharsets.UTF_8).split("\n", 3);
      Integer owner = claim[0].isEmpty() ? null : owners.putIfAbsent(claim[0], rank);
      if (owner != null && !(sharing && claim[1].equals("true"))) {
        throw rendezvous.report(
            new RankMismatchException(
                rank,
                "ranks " + owner + " and " + rank + " are on one GPU, " + claim[2] + " (" + claim[0]
                    + "); start as many ranks on a host as it has GPUs and give each its own, by --device or"
                    + " CUDA_VISIBLE_DEVICES, or set " + SHARING + "=1 for every rank where NCCL is 2.30.3 or later"));
      }
    }
  }
}
