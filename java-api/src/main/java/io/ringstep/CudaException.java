package io.ringstep;

/**
 * A GPU could not do what it was asked to, or there is none. The message says the operation, the device, CUDA's name of
 * the error and the remedy. Whatever was asked for is as it was before, and going on is possible, unless this is a {@link
 * CudaFatalException}.
 */
public class CudaException extends RingstepException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one line: what failed, and the remedy
   */
  public CudaException(String message) {
    super(message);
  }

  /**
   * @param message one line: what failed, and the remedy
   * @param cause what brought it about
   */
  public CudaException(String message, Throwable cause) {
    super(message, cause);
  }
}
