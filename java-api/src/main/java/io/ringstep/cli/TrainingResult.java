package io.ringstep.cli;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** What a run did, over all its models. */
record TrainingResult(List<Trained> models) {
  /** Whether some training was cancelled, here or by another rank. */
  boolean isCutShort() {
    return models.stream().anyMatch(trained -> trained.fit().cancelled());
  }

  /** Steps of all models together. */
  long totalSteps() {
    return models.stream().mapToLong(trained -> trained.fit().steps()).sum();
  }

  /** Steps of each model. */
  long steps() {
    return models.get(0).fit().steps();
  }

  /** Epochs of each model. */
  int epochs() {
    return models.get(0).fit().epochs();
  }

  /** The mean over the models, with their final weights. */
  double loss() {
    return models.stream().mapToDouble(Trained::loss).average().orElse(Double.NaN);
  }

  /** Each model's, with its final weights. */
  double[] finalLosses() {
    return models.stream().mapToDouble(Trained::loss).toArray();
  }

  /** The mean over the models of each epoch, as it was trained. */
  double[] losses() {
    double[][] all = models.stream().map(trained -> trained.fit().losses()).toArray(double[][]::new);
    return IntStream.range(0, epochs())
        .mapToDouble(epoch -> Arrays.stream(all).mapToDouble(losses -> losses[epoch]).average().orElseThrow())
        .toArray();
  }

  double seconds() {
    return models.stream().mapToLong(trained -> trained.fit().duration().toNanos()).sum() / 1e9;
  }

  double samplesPerSecond() {
    long samples = models.stream().mapToLong(trained -> trained.fit().samples()).sum();
    return samples / seconds();
  }
}
