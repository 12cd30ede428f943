package io.ringstep;

/** A rank did not arrive, or was not heard of, within the deadline: it hangs, is stopped or cut off. */
public final class CollectiveTimeoutException extends CollectiveException {
  private static final long serialVersionUID = 1L;

  /**
   * @param rank the rank that was waited for, the first one where they are several
   * @param message one line: which ranks, and for how long they were waited for
   */
  public CollectiveTimeoutException(int rank, String message) {
    super(rank, message);
  }
}
