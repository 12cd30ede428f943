package io.ringstep;

/** A rank was started otherwise than the rest: other versions, data, settings or the same GPU. */
public final class RankMismatchException extends CollectiveException {
  private static final long serialVersionUID = 1L;

  /**
   * @param rank the rank that differs, from rank 0 where that is not said
   * @param message one line: which rank, and what differs
   */
  public RankMismatchException(int rank, String message) {
    super(rank, message);
  }
}
