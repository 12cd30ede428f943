package io.ringstep;

import io.ringstep.internal.CheckpointFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Lets all ranks go on from rank 0's checkpoint, whose file the others need not have. */
final class CheckpointShare {
  private CheckpointShare() {}

  /** Rank 0's checkpoint on every rank, or on none. */
  static Optional<Checkpoint> ofRankZero(Communicator communicator, Optional<Checkpoint> own) {
    boolean first = communicator.rank() == 0;
    byte[] content = first && own.isPresent() ? read(own.get().file()) : new byte[0];
    String offer = own.map(checkpoint -> content.length + " " + checkpoint.file()).orElse("");
    byte[] answer =
        communicator.rendezvous()
            .allGather("checkpoint", (first ? offer : "").getBytes(StandardCharsets.UTF_8))
            .get(0);
    if (answer.length == 0) {
      return Optional.empty();
    }
    String[] parts = new String(answer, StandardCharsets.UTF_8).split(" ", 2);
    byte[] bytes = first ? content : new byte[Integer.parseInt(parts[0])];
    communicator.broadcast(bytes, 0);
    return first ? own : Optional.of(parse(bytes, Path.of(parts[1])));
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new InvalidDataException(file, 0, 0, "cannot be read: " + e.getMessage(), e);
    }
  }

  private static Checkpoint parse(byte[] bytes, Path name) {
    Path copy = null;
    try {
      copy = Files.createTempFile("ringstep-checkpoint", ".safetensors");
      Files.write(copy, bytes);
      return new Checkpoint(name, CheckpointFile.read(copy));
    } catch (IOException e) {
      throw new RingstepException("the checkpoint of rank 0 cannot be copied: " + e.getMessage(), e);
    } finally {
      delete(copy);
    }
  }

  private static void delete(Path copy) {
    try {
      if (copy != null) {
        Files.deleteIfExists(copy);
      }
    } catch (IOException e) {
      // The system's temporary folder is emptied now and then.
    }
  }
}
