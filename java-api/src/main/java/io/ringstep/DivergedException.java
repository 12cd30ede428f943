package io.ringstep;

/**
 * The loss became NaN or infinite. The step that would have applied its gradient was not taken: the
 * parameters are those of the step before.
 */
public class DivergedException extends RingstepException {
  private static final long serialVersionUID = 1L;

  private final long step;

  /** @param step the 1-based number of the step whose loss was not finite */
  public DivergedException(long step) {
    super(
        "the loss became NaN or infinite at step "
            + step
            + "; lower the learning rate, or standardize the data");
    this.step = step;
  }

  /** The 1-based number of the step whose loss was not finite; {@code step() - 1} were applied. */
  public long step() {
    return step;
  }
}
