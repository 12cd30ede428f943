package io.ringstep;

/**
 * A job of several ranks cannot go on. Every surviving rank throws the same message, which names the
 * rank that is to blame. The group is broken for good; this JVM is not: close the trainer and its
 * {@link Rendezvous}, and begin again, from a checkpoint where there is one.
 */
public class CollectiveException extends RingstepException {
  /** Where no single rank is to blame. */
  public static final int NO_RANK = -1;

  private static final long serialVersionUID = 1L;

  private final int rank;

  /**
   * @param rank who is to blame, or {@link #NO_RANK}
   * @param message one line: what failed, and the remedy
   */
  public CollectiveException(int rank, String message) {
    super(message);
    this.rank = rank;
  }

  /** The rank that is to blame, or {@link #NO_RANK}. */
  public int rank() {
    return rank;
  }
}
