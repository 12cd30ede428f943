package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.npy;
import static io.ringstep.internal.files.TestFiles.npz;
import static io.ringstep.internal.files.TestFiles.range;
import static io.ringstep.internal.files.TestFiles.tensor;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.fail;

import io.ringstep.InvalidDataException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A damaged file is read or refused, whatever the damage: nothing else escapes. */
@Timeout(120)
class DamagedFileTest {
  private static final int RUNS = 3000;

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"csv", "npy", "npz", "safetensors", "unknown"})
  void survivesTruncation(String extension) throws IOException {
    byte[] sound = sound(extension);
    for (int length = 0; length < sound.length; length++) {
      readOrRefuse(extension, Arrays.copyOf(sound, length));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"csv", "npy", "npz", "safetensors", "unknown"})
  void survivesDamage(String extension) throws IOException {
    byte[] sound = sound(extension);
    Random random = new Random(extension.hashCode());
    for (int run = 0; run < RUNS; run++) {
      readOrRefuse(extension, damaged(sound, random));
    }
  }

  /** Flipped bits, foreign bytes, a piece cut out, a piece doubled: one to four of them. */
  private static byte[] damaged(byte[] sound, Random random) {
    byte[] bytes = sound.clone();
    for (int times = 1 + random.nextInt(4); times > 0 && bytes.length > 1; times--) {
      int at = random.nextInt(bytes.length);
      int end = at + random.nextInt(Math.min(16, bytes.length - at));
      byte[] head = Arrays.copyOf(bytes, at);
      byte[] tail = Arrays.copyOfRange(bytes, end, bytes.length);
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt(256);
        case 2 -> bytes = TestFiles.join(head, tail);
        default ->
            bytes =
                TestFiles.join(
                    Arrays.copyOf(bytes, end), Arrays.copyOfRange(bytes, at, bytes.length));
      }
    }
    return bytes;
  }

  private void readOrRefuse(String extension, byte[] bytes) throws IOException {
    // A new file every time: rewriting one makes some file systems wait for the disk.
    Path file = Files.write(directory.resolve("data." + extension), bytes, CREATE_NEW);
    try {
      assertNotNull(TableReader.readTraining(file, List.of(), 1));
    } catch (InvalidDataException e) {
      assertFalse(e.getMessage().contains("\n"), e.getMessage());
    } catch (Throwable e) {
      Path kept = Files.write(Files.createTempFile("damaged-", "." + extension), bytes);
      fail("reading the damaged file " + kept, e);
    } finally {
      Files.delete(file);
    }
  }

  private byte[] sound(String extension) throws IOException {
    Tensor x = tensor("x", range(12), 4, 3);
    Tensor y = tensor("y", range(4), 4);
    return switch (extension) {
      case "csv" ->
          "\uFEFFage;\"höhe\";z\n1;2.5;3\n\"4\"; -5e-1;6\r\n7;8;9\n"
              .getBytes(StandardCharsets.UTF_8);
      case "npy" -> npy(x);
      case "npz" -> npz(x, y);
      default -> {
        Path file = directory.resolve("sound");
        SafetensorsFile.write(file, List.of(x, y), Map.of("note", "ü"));
        yield Files.readAllBytes(file);
      }
    };
  }
}
