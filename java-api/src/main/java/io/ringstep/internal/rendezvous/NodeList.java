package io.ringstep.internal.rendezvous;

/** Slurm's notation for hosts, such as {@code rack1-[03-05,9],gpu7}. */
final class NodeList {
  private NodeList() {}

  /** The first host. */
  static String first(String nodes) {
    StringBuilder host = new StringBuilder();
    int i = 0;
    while (i < nodes.length() && nodes.charAt(i) != ',') {
      if (nodes.charAt(i) != '[') {
        host.append(nodes.charAt(i++));
        continue;
      }
      int end = nodes.indexOf(']', i);
      if (end < 0) {
        throw new IllegalArgumentException("SLURM_JOB_NODELIST is '" + nodes + "', which has a '[' without its ']'");
      }
      host.append(nodes.substring(i + 1, end).split("[,-]", 2)[0]);
      i = end + 1;
    }
    if (host.isEmpty()) {
      throw new IllegalArgumentException("SLURM_JOB_NODELIST is '" + nodes + "', which names no host");
    }
    return host.toString();
  }
}
