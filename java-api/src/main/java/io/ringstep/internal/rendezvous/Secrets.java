package io.ringstep.internal.rendezvous;

import java.security.SecureRandom;
import java.util.HexFormat;

/** The secret that all ranks of a job share. */
public final class Secrets {
  private static final int BYTES = 32;

  private Secrets() {}

  /** A new one. */
  public static String random() {
    byte[] secret = new byte[BYTES];
    new SecureRandom().nextBytes(secret);
    return HexFormat.of().formatHex(secret);
  }

  /** Whoever reaches the rendezvous could join without one. */
  static void requireFor(HostPort address, String secret) {
    if (secret.isEmpty() && !address.isLoopback()) {
      throw new IllegalArgumentException(
          "the rendezvous " + address + " can be reached from other hosts, so the job needs a secret;"
              + " give all ranks the same RINGSTEP_SECRET, such as 'openssl rand -hex 32' prints");
    }
  }
}
