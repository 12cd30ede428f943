package io.ringstep;

/** Told how a {@link Trainer#fit fit} gets on. */
@FunctionalInterface
public interface ProgressListener {
  /**
   * Called about fifty times a second and at the end, on the thread that called {@code fit}. An
   * exception thrown here ends the fit and reaches its caller. A listener may cancel the fit or
   * close the trainer, but not close the dataset: that would wait for the fit.
   */
  void progress(Progress progress);
}
