package io.ringstep.internal.files;

import static io.ringstep.internal.files.TestFiles.ascii;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = directory.resolve("model.safetensors");
  }

  @Test
  void writesAndReplaces() throws IOException {
    AtomicFile.write(file, out -> out.write(ascii("first, and longer")));
    assertEquals("first, and longer", Files.readString(file));
    AtomicFile.write(file, out -> out.write(ascii("second")));
    assertEquals("second", Files.readString(file));
    assertEquals(List.of(file), list(directory));
  }

  @Test
  void writesBesideTheTargetUntilAllIsThere() throws IOException {
    Files.writeString(file, "old");
    AtomicFile.write(
        file,
        out -> {
          assertEquals("old", Files.readString(file));
          assertEquals(2, list(directory).size());
          assertTrue(
              list(directory).stream()
                  .map(path -> path.getFileName().toString())
                  .anyMatch(name -> name.matches("\\.model\\.safetensors\\..+\\.tmp")));
          out.write(ascii("new"));
        });
    assertEquals("new", Files.readString(file));
  }

  @Test
  void leavesTheOldFileWhenWritingFails() throws IOException {
    Files.writeString(file, "old");
    var full =
        assertThrows(
            IOException.class,
            () ->
                AtomicFile.write(
                    file,
                    out -> {
                      out.write(new byte[1 << 20]);
                      throw new IOException("No space left on device");
                    }));
    assertEquals(
        file + ": No space left on device; free some space, or name a file elsewhere",
        full.getMessage());
    assertThrows(
        IllegalStateException.class,
        () ->
            AtomicFile.write(
                file,
                out -> {
                  throw new IllegalStateException();
                }));
    assertEquals("old", Files.readString(file));
    assertEquals(List.of(file), list(directory));
  }

  @Test
  void saysThatADeviceIsFull() {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full));
    refused(full, "No space left on device", "free some space");
  }

  @Test
  void refusesTargetsThatAreNoFile() throws IOException {
    refused(directory, "is a directory; name a file in it");
    refused(
        directory.resolve("none/model"),
        directory.resolve("none") + " is not a directory; create it first");
    Files.writeString(file, "old");
    refused(file.resolve("model"), file + " is not a directory");
    refused(directory.resolve("n".repeat(300)), "File name too long; name it shorter");
    refused(Path.of("/"), "is a directory");
  }

  @Test
  void refusesReadOnlyFilesAndDirectories() throws IOException {
    Files.writeString(file, "old");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));
    assumeFalse(Files.isWritable(file), "root may write anything");
    refused(file, "permission denied; make the file and its directory writable");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("r-xr-xr-x"));
    refused(directory.resolve("other"), "permission denied");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  @Test
  void writesThroughLinks() throws IOException {
    Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
    Path real = Files.writeString(elsewhere.resolve("real"), "old");
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("elsewhere/real"));
    Path second = Files.createSymbolicLink(directory.resolve("second"), Path.of("link"));

    AtomicFile.write(second, out -> out.write(ascii("new")));

    assertTrue(Files.isSymbolicLink(link) && Files.isSymbolicLink(second));
    assertEquals("new", Files.readString(real));
    assertEquals(List.of(real), list(elsewhere));
  }

  @Test
  void writesThroughLinksToNothingYet() throws IOException {
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("model.safetensors"));
    AtomicFile.write(link, out -> out.write(ascii("new")));
    assertTrue(Files.isSymbolicLink(link));
    assertEquals("new", Files.readString(file));
  }

  @Test
  void refusesLinksInACircle() throws IOException {
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("link"));
    refused(link, "links lead in a circle");
  }

  @Test
  void keepsPermissions() throws IOException {
    Files.writeString(file, "old");
    var permissions = PosixFilePermissions.fromString("rw-r-----");
    Files.setPosixFilePermissions(file, permissions);
    AtomicFile.write(file, out -> out.write(ascii("new")));
    assertEquals(permissions, Files.getPosixFilePermissions(file));
  }

  @Test
  void takesTheLongestNames() throws IOException {
    Path longest = directory.resolve("ö".repeat(127));
    AtomicFile.write(longest, out -> out.write(ascii("new")));
    assertEquals("new", Files.readString(longest));
  }

  @Test
  void writesDevicesDirectly() throws IOException {
    Path device = Path.of("/dev/null");
    AtomicFile.write(device, out -> out.write(ascii("anything")));
    assertFalse(Files.isRegularFile(device));
  }

  @Test
  void appendsToStandardOutput() throws Exception {
    Files.writeString(file, "printed before\n");
    Process process = start("stdout", ProcessBuilder.Redirect.appendTo(file.toFile()));
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    assertEquals("printed before\nwritten\n", Files.readString(file));
  }

  @Test
  @Timeout(60)
  void leavesNothingWhenInterruptedForGood() throws Exception {
    interrupt("endless");
    assertEquals(List.of(), list(directory));
  }

  @Test
  @Timeout(60)
  void finishesWhenInterruptedNearTheEnd() throws Exception {
    interrupt("brief");
    assertEquals(List.of(file), list(directory));
    assertEquals("all of it", Files.readString(file));
  }

  private void interrupt(String how) throws Exception {
    Process process = start(how, ProcessBuilder.Redirect.DISCARD, file.toString());
    while (list(directory).isEmpty()) {
      Thread.sleep(10);
    }
    process.destroy();
    process.waitFor();
  }

  private static Process start(String how, ProcessBuilder.Redirect output, String... target)
      throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath = location(AtomicFile.class) + File.pathSeparator + location(Writer.class);
    List<String> command =
        new ArrayList<>(List.of(java, "-cp", classPath, Writer.class.getName(), how));
    command.addAll(List.of(target));
    return new ProcessBuilder(command)
        .redirectOutput(output)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static Path location(Class<?> type) {
    return Path.of(URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString()));
  }

  /** A program that writes its standard output, or a file in half a second, or one without end. */
  static final class Writer {
    public static void main(String[] args) throws IOException {
      switch (args[0]) {
        case "stdout" -> AtomicFile.write(Path.of("/dev/stdout"), out -> out.write(ascii("written\n")));
        case "brief" -> AtomicFile.write(Path.of(args[1]), out -> writeSlowly(out, 500));
        default -> AtomicFile.write(Path.of(args[1]), out -> writeSlowly(out, 60_000));
      }
    }

    private static void writeSlowly(OutputStream out, long millis) throws IOException {
      try {
        Thread.sleep(millis);
      } catch (InterruptedException e) {
        throw new InterruptedIOException();
      }
      out.write(ascii("all of it"));
    }
  }

  private static void refused(Path target, String... words) {
    var e =
        assertThrows(
            IOException.class, () -> AtomicFile.write(target, out -> out.write(new byte[100])));
    assertTrue(e.getMessage().startsWith(target + ": "), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }

  private static List<Path> list(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }
}
