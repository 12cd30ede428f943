package io.ringstep.cli;

import io.ringstep.Backends;
import io.ringstep.CollectiveException;
import io.ringstep.Communicator;
import io.ringstep.Device;
import io.ringstep.Rendezvous;
import io.ringstep.internal.rendezvous.Environment;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntSupplier;

/** This process's part in a job of several ranks; alone where no launcher started it. */
final class RankSession implements AutoCloseable {
  private final Rendezvous rendezvous;
  private final Communicator communicator;

  private RankSession(Rendezvous rendezvous, Communicator communicator) {
    this.rendezvous = rendezvous;
    this.communicator = communicator;
  }

  /** What a rank does. */
  @FunctionalInterface
  interface Body {
    int run(RankSession session) throws IOException;
  }

  /**
   * Runs the body as one of the ranks that a launcher has started, if one has, on this rank's own device; the others hear
   * of its failure. One rank alone prints.
   */
  static int run(TrainCommand options, Body body) throws IOException {
    options.loop.device = own(options.loop.device, System.getenv());
    try (RankSession session = join(System.getenv(), options.loop.collective, options.loop.device)) {
      if (!session.leads()) {
        options.output.silence();
      }
      try {
        return body.run(session);
      } catch (Throwable failure) {
        session.fail(failure);
        throw failure;
      }
    }
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
    return own(device, environment, () -> Backends.cudaDevices().size());
  }

  /** @param gpus how many this process sees, which is asked only where it matters */
  static Device own(Device device, Map<String, String> environment, IntSupplier gpus) {
    return Environment.detect(environment)
        .filter(job -> job.worldSize() > 1)
        .map(job -> device.isAnyGpu() ? own(job, gpus.getAsInt()) : named(device.forRank(job.localRank())))
        .orElse(device);
  }

  /** Ranks that chose for themselves might not choose alike, nor each another GPU. */
  private static Device named(Device device) {
    return device == Device.auto() ? Device.cpu() : device;
  }

  /** A launcher may let each rank see its own GPU alone; if it is another rank's too, {@link Communicator#of} refuses it. */
  private static Device own(Environment job, int gpus) {
    if (gpus == 1) {
      return Device.cuda(0);
    }
    Checks.require(
        job.localRank() < gpus,
        "device cuda: rank " + job.rank() + " has no GPU of its own: it is number " + job.localRank()
            + " of the ranks on its host, counted from 0, which has " + Text.count(gpus, "GPU")
            + "; start as many ranks on a host as it has GPUs");
    return Device.cuda(job.localRank());
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
