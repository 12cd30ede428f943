package io.ringstep.internal;

import io.ringstep.InvalidDataException;
import io.ringstep.RingstepException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A directory of checkpoints, {@code step-000000001000.safetensors} and the like, of which the last two
 * are kept. Whoever writes there holds a lock, which ends with its process.
 */
public final class CheckpointDirectory implements AutoCloseable {
  private static final int KEPT = 2;

  /** It stays when it is unlocked: to delete it could pull it from under one who waits for it. */
  private static final String LOCK = ".lock";

  private static final Pattern NAME = Pattern.compile("step-[0-9]{12,}\\.safetensors");
  private static final Pattern UNFINISHED = Pattern.compile("\\.step-[0-9]{12,}\\.safetensors\\..*\\.tmp");

  private final Path directory;
  private final FileChannel lock;

  private CheckpointDirectory(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  /**
   * Makes the directory where needed, to write there until closed, and removes what a killed process
   * left half-written.
   *
   * @throws RingstepException if it cannot be written, or another training writes there
   */
  public static CheckpointDirectory open(Path directory) {
    FileChannel channel = null;
    try {
      Files.createDirectories(directory);
      channel = FileChannel.open(directory.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (channel.tryLock() == null) {
        throw new OverlappingFileLockException();
      }
      for (Path unfinished : list(directory, UNFINISHED)) {
        Files.deleteIfExists(unfinished);
      }
      return new CheckpointDirectory(directory, channel);
    } catch (OverlappingFileLockException e) {
      closeQuietly(channel);
      throw new RingstepException(
          "another training writes its checkpoints to " + directory + "; wait for it, or name another directory", e);
    } catch (IOException e) {
      closeQuietly(channel);
      throw new RingstepException(
          "checkpoints cannot be written to " + directory + ": " + reason(e) + "; name a directory that can", e);
    }
  }

  /** Writes a checkpoint, whole or not at all, and removes those that are older than the one before. */
  public void write(CheckpointData data) {
    Path file =
        directory.resolve(String.format(Locale.ROOT, "step-%012d.safetensors", data.position().steps()));
    try {
      CheckpointFile.write(data, file);
      List<Path> all = newestFirst(directory);
      for (Path old : all.subList(Math.min(KEPT, all.size()), all.size())) {
        Files.deleteIfExists(old);
      }
    } catch (IOException e) {
      throw new RingstepException("the checkpoint was not written: " + reason(e) + "; the one before stays", e);
    }
  }

  /**
   * The newest checkpoint that can be read.
   *
   * @param unreadable told of each that is newer, but cannot be read
   * @return empty if there is none at all
   * @throws InvalidDataException if there are some, but none can be read; it is about the newest
   */
  public static Optional<Found> latest(Path directory, Consumer<InvalidDataException> unreadable) {
    InvalidDataException first = null;
    for (Path file : newestFirst(directory)) {
      try {
        return Optional.of(new Found(file, CheckpointFile.read(file)));
      } catch (InvalidDataException e) {
        first = first == null ? e : first;
        unreadable.accept(e);
      }
    }
    if (first != null) {
      throw first;
    }
    return Optional.empty();
  }

  /** A checkpoint and its file. */
  public record Found(Path file, CheckpointData data) {}

  private static List<Path> newestFirst(Path directory) {
    try {
      return list(directory, NAME);
    } catch (IOException e) {
      throw new InvalidDataException(directory, 0, 0, "cannot be read: " + reason(e), e);
    }
  }

  /** By name, backwards; empty where there is no directory. */
  private static List<Path> list(Path directory, Pattern name) throws IOException {
    if (!Files.exists(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .filter(file -> name.matcher(file.getFileName().toString()).matches())
          .sorted(Comparator.comparing((Path file) -> file.getFileName().toString().length()).thenComparing(file -> file).reversed())
          .toList();
    }
  }

  /** Lets others write there. */
  @Override
  public void close() {
    closeQuietly(lock);
  }

  private static void closeQuietly(FileChannel channel) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // The lock ends with the process at the latest.
    }
  }

  private static String reason(IOException e) {
    return e instanceof java.nio.file.FileSystemException f && f.getReason() == null
        ? f.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=.)([A-Z])", " $1").toLowerCase(Locale.ROOT)
            + ": " + f.getFile()
        : e.getMessage();
  }
}
