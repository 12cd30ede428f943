package io.ringstep.cli;

import io.ringstep.GroupedDataset;

/** Which groups each rank trains: neighbours, with about as many rows as any other's, and at least one. */
final class GroupShares {
  private final int[] begins;

  /** @param ranks at most the number of groups */
  GroupShares(GroupedDataset data, int ranks) {
    begins = new int[ranks + 1];
    begins[ranks] = data.groups();
    long before = 0;
    int group = 0;
    for (int rank = 1; rank < ranks; rank++) {
      int least = begins[rank - 1] + 1;
      int most = data.groups() - (ranks - rank);
      while (group < most && (group < least || before * ranks < data.rows() * rank)) {
        before += data.rows(group++);
      }
      begins[rank] = group;
    }
  }

  /** The first group of {@code rank}. */
  int begin(int rank) {
    return begins[rank];
  }

  /** The group after its last one. */
  int end(int rank) {
    return begins[rank + 1];
  }
}
