package io.ringstep.internal.files;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Writes a file whole or not at all: to a temporary file beside it, which then takes its name.
 * Links are followed; pipes and devices, which have no whole, are written directly.
 */
public final class AtomicFile {
  /** The kernel's own limit. */
  private static final int MOST_LINKS = 40;

  private static final Map<String, String> REMEDIES =
      Map.of(
          "No space left on device", "; free some space, or name a file elsewhere",
          "Disk quota exceeded", "; free some space, or name a file elsewhere",
          "Read-only file system", "; name a file elsewhere",
          "File name too long", "; name it shorter");

  private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

  /** How long an ending process lets its last files finish. */
  private static volatile long exitMillis = 5_000;

  static {
    try {
      Runtime.getRuntime().addShutdownHook(new Thread(AtomicFile::finishOrDelete, "unfinished files"));
    } catch (IllegalStateException e) {
      // The shutdown is under way: whoever still writes keeps it waiting himself.
    }
  }

  private AtomicFile() {}

  /** Whether a file is being written just now, in this process. */
  public static boolean isWriting() {
    return !UNFINISHED.isEmpty();
  }

  /** What this process writes it shall finish, be its end delayed by so much. Heeded by an end that has begun, too. */
  public static void finishOnExit(Duration atMost) {
    exitMillis = atMost.toMillis();
  }

  /** What goes into the file. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything; {@code out} is buffered, and closed by the caller. */
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes {@code target}, replacing what it held.
   *
   * @throws IOException whose message is one line: the target, the reason and the remedy
   */
  public static void write(Path target, Content content) throws IOException {
    try {
      Path file = followLinks(target);
      if (isStream(file)) {
        // The name itself is opened: a descriptor's link, such as /dev/stdout's, may lead nowhere.
        writeDirectly(target, content);
      } else {
        requireWritable(file);
        replace(file, content);
      }
    } catch (IOException e) {
      throw new IOException(target + ": " + reason(e), e);
    }
  }

  /** Where {@code target} leads; a file that is not there yet counts. */
  private static Path followLinks(Path target) throws IOException {
    Path file = target.toAbsolutePath();
    for (int links = 0; links <= MOST_LINKS; links++) {
      Path directory = file.getParent();
      if (directory == null) {
        return file;
      }
      if (!Files.isDirectory(directory)) {
        throw new FileSystemException(
            file.toString(), null, directory + " is not a directory; create it first");
      }
      file = directory.toRealPath().resolve(file.getFileName());
      if (!Files.isSymbolicLink(file) || isStream(file)) {
        return file;
      }
      file = file.resolveSibling(Files.readSymbolicLink(file));
    }
    throw new FileSystemException(
        target.toString(), null, "links lead in a circle; name the file itself");
  }

  /** Pipes, devices, and /proc, where links stand for open files. */
  private static boolean isStream(Path file) {
    boolean other = Files.exists(file) && !Files.isRegularFile(file) && !Files.isDirectory(file);
    return other || file.startsWith("/proc");
  }

  private static void requireWritable(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new FileSystemException(file.toString(), null, "is a directory; name a file in it");
    }
    if (Files.exists(file) && !Files.isWritable(file)) {
      throw new AccessDeniedException(file.toString());
    }
  }

  private static void writeDirectly(Path stream, Content content) throws IOException {
    // Appending: where standard output goes to a file, what was printed there stays.
    try (OutputStream out =
        new BufferedOutputStream(
            Files.newOutputStream(stream, StandardOpenOption.WRITE, StandardOpenOption.APPEND))) {
      content.writeTo(out);
    }
  }

  private static void replace(Path file, Content content) throws IOException {
    Path temporary = file.resolveSibling(temporaryName(file.getFileName().toString()));
    UNFINISHED.add(temporary);
    try {
      writeDurably(temporary, content);
      copyPermissions(file, temporary);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      syncDirectory(file.getParent());
    } catch (Throwable e) {
      delete(temporary);
      throw e;
    } finally {
      UNFINISHED.remove(temporary);
    }
  }

  /** Shortened where needed: a name has at most 255 bytes. */
  private static String temporaryName(String name) {
    String start = name.substring(0, Math.min(name.length(), 50));
    return "." + start + "." + UUID.randomUUID() + ".tmp";
  }

  private static void writeDurably(Path temporary, Content content) throws IOException {
    try (FileChannel channel =
            FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16)) {
      content.writeTo(out);
      out.flush();
      channel.force(true);
    }
  }

  private static void copyPermissions(Path from, Path to) throws IOException {
    var source = Files.getFileAttributeView(from, PosixFileAttributeView.class);
    var copy =
        Files.getFileAttributeView(to, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    if (source != null && Files.exists(from)) {
      copy.setPermissions(source.readAttributes().permissions());
    }
  }

  /** Without it, a power cut could still undo the rename. */
  private static void syncDirectory(Path directory) {
    try (FileChannel channel = FileChannel.open(directory)) {
      channel.force(true);
    } catch (IOException e) {
      // Some directories may be written but not read, and the file is in place by now.
    }
  }

  /** An interrupted program leaves nothing half-written either: its last files are let finish. */
  private static void finishOrDelete() {
    long begin = System.nanoTime();
    try {
      while (isWriting()) {
        if (System.nanoTime() - begin >= TimeUnit.MILLISECONDS.toNanos(exitMillis)) {
          UNFINISHED.forEach(AtomicFile::delete);
          return;
        }
        Thread.sleep(5);
      }
    } catch (InterruptedException e) {
      UNFINISHED.forEach(AtomicFile::delete);
    }
  }

  private static void delete(Path temporary) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      // The failure that led here is the one to report.
    }
  }

  private static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return "permission denied; make the file and its directory writable, or name another file";
    }
    boolean bySystem = e instanceof FileSystemException f && f.getReason() != null;
    String reason = bySystem ? ((FileSystemException) e).getReason() : e.getMessage();
    return reason == null ? e.toString() : reason + REMEDIES.getOrDefault(reason, "");
  }
}
