package io.ringstep.internal.files;

import io.ringstep.InvalidDataException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.stream.Collectors;

/**
 * A file being read, or a part of it: opens it, and names it in the messages about it.
 *
 * @param part for example {@code array 'x'}; empty for the whole file
 */
record Source(Path file, String part) {
  private static final int LONGEST_QUOTE = 60;
  private static final int LONGEST_LIST = 20;

  Source(Path file) {
    this(file, "");
  }

  /** One part of this file. */
  Source part(String name) {
    return new Source(file, name);
  }

  /** Opens a file that knows its size. */
  FileChannel openRegular() {
    if (Files.exists(file) && !Files.isDirectory(file) && !Files.isRegularFile(file)) {
      throw invalid("is a pipe or a device, which only CSV can be read from; name a regular file");
    }
    return open();
  }

  /** Opens any file but a directory or an empty one. */
  FileChannel open() {
    if (Files.isDirectory(file)) {
      throw invalid("is a directory; name a file");
    }
    try {
      if (Files.isRegularFile(file) && Files.size(file) == 0) {
        throw empty();
      }
      return FileChannel.open(file);
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  InvalidDataException invalid(String problem) {
    return at(0, 0, problem);
  }

  InvalidDataException at(long line, int column, String problem) {
    return new InvalidDataException(file, line, column, prefixed(problem));
  }

  InvalidDataException empty() {
    return invalid("is empty; name a file with data");
  }

  InvalidDataException truncated(long missing) {
    return invalid(
        "ends " + missing + " bytes early; the file is truncated, make or fetch it again");
  }

  /** The operating system's refusal, in a user's words. */
  InvalidDataException unreadable(IOException cause) {
    return new InvalidDataException(file, 0, 0, prefixed(reason(cause)), cause);
  }

  private String prefixed(String problem) {
    return part.isEmpty() ? problem : part + " " + problem;
  }

  private static String reason(IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return "no such file; check the path";
    }
    if (cause instanceof AccessDeniedException) {
      return "permission denied; make the file readable, or name another";
    }
    boolean hasReason = cause instanceof FileSystemException e && e.getReason() != null;
    String reason = hasReason ? ((FileSystemException) cause).getReason() : cause.getMessage();
    return "cannot be read: " + (reason == null ? cause.getClass().getSimpleName() : reason);
  }

  /**
   * What is asked for by name must be there.
   *
   * @param kind what the names name: for example {@code column}
   */
  void requireNames(String kind, Collection<String> wanted, Collection<String> present) {
    for (String name : wanted) {
      if (!present.contains(name)) {
        throw invalid("no " + kind + " " + quote(name) + "; " + listed(kind, present));
      }
    }
  }

  private static String listed(String kind, Collection<String> names) {
    if (names.isEmpty()) {
      return "the file has no " + kind + "s";
    }
    String some = names.stream().limit(LONGEST_LIST).collect(Collectors.joining(", "));
    return "the " + kind + "s are " + some + (names.size() > LONGEST_LIST ? ", …" : "");
  }

  /** Text from a file as a message shows it: in quotes, and not too much of it. */
  static String quote(String text) {
    boolean fits = text.length() <= LONGEST_QUOTE;
    return "'" + (fits ? text : text.substring(0, LONGEST_QUOTE) + "…") + "'";
  }
}
