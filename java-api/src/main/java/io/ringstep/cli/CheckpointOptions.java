package io.ringstep.cli;

import io.ringstep.Checkpoint;
import io.ringstep.Fit;
import io.ringstep.internal.rendezvous.Environment;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where to keep what is needed to go on after a break. */
final class CheckpointOptions {
  private static final int DEFAULT_EVERY = 10;

  @Option(
      names = "--checkpoint",
      paramLabel = "DIR",
      description =
          "Keep the last two checkpoints of the training in DIR, written whole or not at all: weights,"
              + " optimizer's state, position. Ctrl-C writes one too.")
  Path directory;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N",
      description = "Epochs from one checkpoint to the next. Default: 10.")
  Integer every;

  @Option(
      names = "--resume",
      description =
          "Go on from the last checkpoint in --checkpoint DIR, or begin where there is none. Ends with"
              + " the same weights, bit for bit, as without the break. --epochs counts from the"
              + " beginning, and may be raised.")
  boolean resume;

  void requireValid(int models) {
    Checks.require(directory != null || every == null, "--checkpoint-every needs --checkpoint DIR");
    Checks.require(directory != null || !resume, "--resume needs --checkpoint DIR");
    Checks.require(directory == null || models == 1, "--checkpoint works for one model, not for --models " + models);
    Checks.requireAtLeastOne("--checkpoint-every", every());
  }

  /** Whether to go on where there is something to go on from; a restarted group always does. */
  boolean resumes() {
    return directory != null && (resume || Environment.attempt(System.getenv()) > 0);
  }

  /** The checkpoint to go on from. */
  Optional<Checkpoint> start(PrintStream err) {
    return resumes()
        ? Checkpoint.latest(
            directory, e -> err.println("ringstep train: passed over a checkpoint: " + e.getMessage()))
        : Optional.empty();
  }

  Fit apply(Fit fit, Optional<Checkpoint> start) {
    Fit kept = directory == null ? fit : fit.checkpoint(directory, every());
    return start.map(kept::resume).orElse(kept);
  }

  private int every() {
    return every == null ? DEFAULT_EVERY : every;
  }
}
