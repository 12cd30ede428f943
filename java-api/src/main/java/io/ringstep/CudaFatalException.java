package io.ringstep;

/**
 * A GPU's context is lost, as after an illegal memory access or an uncorrectable memory error: every later call on it
 * fails, in this process. Close what uses it, and restart the process.
 */
public class CudaFatalException extends CudaException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one line: what failed, and the remedy
   */
  public CudaFatalException(String message) {
    super(message);
  }
}
