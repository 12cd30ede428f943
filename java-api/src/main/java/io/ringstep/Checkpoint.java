package io.ringstep;

import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.CheckpointDirectory;
import io.ringstep.internal.CheckpointFile;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A training as it was at some point: weights, optimizer's state, position and settings. {@link
 * Fit#checkpoint} writes them, {@link Fit#resume} goes on from one, and ends with the same bits as if
 * there had been no break. Its file is a model file as well: {@link Model#load} reads it.
 */
public final class Checkpoint {
  private static final System.Logger LOG = System.getLogger("io.ringstep");

  private final Path file;
  private final CheckpointData data;

  Checkpoint(Path file, CheckpointData data) {
    this.file = file;
    this.data = data;
  }

  /**
   * Reads a checkpoint.
   *
   * @throws InvalidDataException if the file is missing, malformed, damaged, or no checkpoint
   */
  public static Checkpoint load(Path file) {
    return new Checkpoint(file, CheckpointFile.read(file));
  }

  /**
   * The newest checkpoint of a directory; one that cannot be read is logged and passed over for the
   * one before.
   *
   * @return empty if there is none, or no such directory
   * @throws InvalidDataException if there are checkpoints, but none can be read
   */
  public static Optional<Checkpoint> latest(Path directory) {
    return latest(directory, e -> LOG.log(System.Logger.Level.WARNING, e.getMessage()));
  }

  /**
   * The newest checkpoint of a directory that can be read.
   *
   * @param unreadable told of each newer one that cannot be read
   * @return empty if there is none, or no such directory
   * @throws InvalidDataException if there are checkpoints, but none can be read
   */
  public static Optional<Checkpoint> latest(Path directory, Consumer<InvalidDataException> unreadable) {
    return CheckpointDirectory.latest(directory, unreadable)
        .map(found -> new Checkpoint(found.file(), found.data()));
  }

  /** Where it was read. */
  public Path file() {
    return file;
  }

  /** The model as it was. */
  public Model model() {
    return data.model();
  }

  /** Whole epochs done. */
  public long epoch() {
    return data.position().epoch();
  }

  /** Steps done. */
  public long steps() {
    return data.position().steps();
  }

  CheckpointData data() {
    return data;
  }
}
