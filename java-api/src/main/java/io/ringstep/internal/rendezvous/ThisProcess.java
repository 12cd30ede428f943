package io.ringstep.internal.rendezvous;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** How other ranks call this process. */
final class ThisProcess {
  private static final int MOST_CHARACTERS = 100;

  private ThisProcess() {}

  /** For example {@code gpu-node-7, pid 4711}. */
  static String description() {
    String host;
    try {
      host = InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      host = "unknown host";
    }
    return host.substring(0, Math.min(host.length(), MOST_CHARACTERS)) + ", pid " + ProcessHandle.current().pid();
  }
}
