package io.ringstep.internal.rendezvous;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.RankFailedException;
import io.ringstep.RankMismatchException;

/**
 * Why a job cannot go on, as it travels.
 *
 * @param rank who is to blame, or {@link CollectiveException#NO_RANK}
 */
record Failure(Kind kind, int rank, String message) {
  /** Long enough for any reason, short enough for one line. */
  private static final int MOST_CHARACTERS = 1000;

  /** Which exception it becomes. */
  enum Kind {
    BROKEN,
    DEAD,
    SILENT,
    DIFFERENT
  }

  Failure {
    // Reasons come from other processes: no line break or terminal escape of theirs gets through.
    message = message.replaceAll("[\\p{Cc}\\u2028\\u2029]", "?");
    if (message.length() > MOST_CHARACTERS) {
      message = message.substring(0, MOST_CHARACTERS) + "…";
    }
  }

  static Failure of(CollectiveException e) {
    Kind kind =
        e instanceof RankFailedException
            ? Kind.DEAD
            : e instanceof CollectiveTimeoutException
                ? Kind.SILENT
                : e instanceof RankMismatchException ? Kind.DIFFERENT : Kind.BROKEN;
    return new Failure(kind, e.rank(), e.getMessage());
  }

  /** A new one for each throw, so that its stack trace is the thrower's. */
  CollectiveException exception() {
    return switch (kind) {
      case DEAD -> new RankFailedException(rank, message);
      case SILENT -> new CollectiveTimeoutException(rank, message);
      case DIFFERENT -> new RankMismatchException(rank, message);
      case BROKEN -> new CollectiveException(rank, message);
    };
  }
}
