package io.ringstep;

/**
 * Rows to train on and rows to validate with; no row is in both. Closing it closes both.
 *
 * @param training the rows to train on
 * @param validation the others
 */
public record Split(Dataset training, Dataset validation) implements AutoCloseable {
  /**
   * Both parts standardized by the moments of the training rows alone, so that validation learns nothing of its own. This
   * split stays open.
   */
  public Split standardized() {
    return standardized(Standardizer.of(training));
  }

  /** Both parts standardized by {@code standardizer}. This split stays open. */
  public Split standardized(Standardizer standardizer) {
    Dataset first = training.standardized(standardizer);
    return Closing.onFailure(first::close, () -> new Split(first, validation.standardized(standardizer)));
  }

  @Override
  public void close() {
    training.close();
    validation.close();
  }
}
