package io.ringstep;

/** Something Ringstep was asked to do failed; the message says what, and the remedy. */
public class RingstepException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one line: what failed, and the remedy
   */
  public RingstepException(String message) {
    super(message);
  }

  /**
   * @param message one line: what failed, and the remedy
   * @param cause what brought it about
   */
  public RingstepException(String message, Throwable cause) {
    super(message, cause);
  }
}
