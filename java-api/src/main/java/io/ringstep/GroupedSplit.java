package io.ringstep;

import java.util.stream.IntStream;

/**
 * Rows of each group to train on, and others to validate with, for an {@link Ensemble} with one model a group. Closing it
 * closes both.
 *
 * @param training the rows to train on
 * @param validation the others: the same groups in the same order, standardized alike; see {@link GroupedDataset#inGroups}.
 *     A group that has none here trains without validation
 */
public record GroupedSplit(GroupedDataset training, GroupedDataset validation) implements AutoCloseable {
  /** @throws IllegalArgumentException if the two do not go together */
  public GroupedSplit {
    if (!validation.names().equals(training.names())) {
      throw new IllegalArgumentException("the groups of validation are not those of training; see GroupedDataset.inGroups");
    }
    if (validation.inputs() != training.inputs() || validation.outputs() != training.outputs()) {
      throw new IllegalArgumentException(
          "the validation rows have " + validation.inputs() + " inputs and " + validation.outputs()
              + " targets, but those of training " + training.inputs() + " and " + training.outputs());
    }
    boolean alike =
        IntStream.range(0, training.groups()).allMatch(g -> validation.standardizer(g).equals(training.standardizer(g)));
    if (!alike) {
      throw new IllegalArgumentException(
          "the validation rows are not standardized as those of training; use GroupedSplit.standardized");
    }
  }

  /**
   * Both parts standardized, each group by the moments of its training rows alone, so that validation learns nothing of its
   * own. This split stays open.
   */
  public GroupedSplit standardized() {
    GroupedDataset first = training.standardized();
    return Closing.onFailure(first::close, () -> new GroupedSplit(first, validation.standardizedAs(first)));
  }

  /**
   * A copy of some of the groups, as of {@link GroupedDataset#part}; to be closed.
   *
   * @param from the first of them
   * @param to the one after the last, above {@code from}
   */
  public GroupedSplit part(int from, int to) {
    GroupedDataset first = training.part(from, to);
    return Closing.onFailure(first::close, () -> new GroupedSplit(first, validation.part(from, to)));
  }

  @Override
  public void close() {
    training.close();
    validation.close();
  }
}
