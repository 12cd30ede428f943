package io.ringstep;

/** A rank died, lost its connection or gave up. */
public final class RankFailedException extends CollectiveException {
  private static final long serialVersionUID = 1L;

  /**
   * @param rank the rank that failed
   * @param message one line: which rank, and why
   */
  public RankFailedException(int rank, String message) {
    super(rank, message);
  }
}
