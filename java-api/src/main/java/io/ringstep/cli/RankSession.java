package io.ringstep.cli;

import io.ringstep.CollectiveException;
import io.ringstep.Communicator;
import io.ringstep.Device;
import io.ringstep.Rendezvous;
import io.ringstep.internal.rendezvous.Environment;
import java.util.Map;
import java.util.Optional;

/** This process's part in a job of several ranks; alone where no launcher started it. */
final class RankSession implements AutoCloseable {
  private final Rendezvous rendezvous;
  private final Communicator communicator;

  private RankSession(Rendezvous rendezvous, Communicator communicator) {
    this.rendezvous = rendezvous;
    this.communicator = communicator;
  }

  /** Joins the job that the environment describes, if any, and waits for all ranks. */
  static RankSession join(Map<String, String> environment, Communicator.Backend backend, Device device) {
    Optional<Environment> job = Environment.detect(environment);
    boolean alone = job.isEmpty() || job.get().worldSize() == 1 && !Environment.isLaunched(environment);
    if (alone) {
      return new RankSession(null, null);
    }
    Rendezvous rendezvous = job.get().join();
    try {
      return new RankSession(rendezvous, Communicator.of(rendezvous, backend, device));
    } catch (RuntimeException e) {
      rendezvous.close();
      throw e;
    }
  }

  /** Ranks of the job that the environment describes; 1 where there is none. */
  static int worldSize(Map<String, String> environment) {
    return Environment.detect(environment).map(Environment::worldSize).orElse(1);
  }

  /** Of the GPUs that the command names, this rank's own. */
  static Device own(Device device, Map<String, String> environment) {
    return Environment.detect(environment).map(job -> device.forRank(job.localRank())).orElse(device);
  }

  /** Whether this is the rank that saves and reports, or the only one. */
  boolean leads() {
    return rendezvous == null || rendezvous.rank() == 0;
  }

  /** What to sum gradients with. */
  Optional<Communicator> communicator() {
    return Optional.ofNullable(communicator);
  }

  int worldSize() {
    return rendezvous == null ? 1 : rendezvous.worldSize();
  }

  /** For example {@code , 4 ranks over tcp}. */
  String description() {
    return worldSize() == 1 ? "" : ", " + worldSize() + " ranks over " + communicator.name();
  }

  /** Tells the other ranks why this one ends, unless they know. */
  void fail(Throwable failure) {
    if (rendezvous != null && !(failure instanceof CollectiveException)) {
      rendezvous.abort(failure.getMessage() == null ? failure.toString() : failure.getMessage());
    }
  }

  /** Leaves the job. */
  @Override
  public void close() {
    if (communicator != null) {
      communicator.close();
    }
    if (rendezvous != null) {
      rendezvous.close();
    }
  }
}
