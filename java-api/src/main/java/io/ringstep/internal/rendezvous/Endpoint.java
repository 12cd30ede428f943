package io.ringstep.internal.rendezvous;

/** What engines that connect ranks themselves need to know of a {@link io.ringstep.Rendezvous}. */
public interface Endpoint {
  /** Whether all ranks are threads of this process. */
  boolean isInProcess();

  /** The numeric address at which the other ranks reach this rank's host. */
  String hostAddress();

  /** A key that all ranks have and nobody else: of the job's secret, but not the secret. */
  byte[] key();
}
