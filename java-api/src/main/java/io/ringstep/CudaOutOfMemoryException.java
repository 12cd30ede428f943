package io.ringstep;

/** A GPU has too little memory free. Nothing was done; a smaller batch, network or dataset may fit. */
public class CudaOutOfMemoryException extends CudaException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one line: what needs how much, how much there is, and the remedy
   */
  public CudaOutOfMemoryException(String message) {
    super(message);
  }
}
