package io.ringstep;

/** Told how a {@link Trainer#fit fit} gets on. */
@FunctionalInterface
public interface ProgressListener {
  /**
   * Called about fifty times a second and at the end, on the thread that called {@code fit}. An
   * exception thrown here ends the fit and reaches its caller. A listener may cancel the fit, but
   * must close neither the trainer nor the dataset, which are in use.
   */
  void progress(Progress progress);
}
