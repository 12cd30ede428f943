package io.ringstep.cli;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
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

  /** Steps of each model; of the first, where they stopped early. */
  long steps() {
    return models.get(0).fit().steps();
  }

  /** Epochs of each model; of the first, where they stopped early. */
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

  /** The mean over the models of each epoch, as it was trained; over those that came so far. */
  double[] losses() {
    return means(models.stream().map(trained -> trained.fit().losses()).toArray(double[][]::new));
  }

  /** Likewise of the validation rows at the end of each epoch. */
  double[] validationLosses() {
    return means(models.stream().map(trained -> trained.fit().validationLosses()).toArray(double[][]::new));
  }

  /** Of the models, with their final weights; empty where there was no validation. */
  OptionalDouble validationLoss() {
    return models.stream().mapToDouble(Trained::validationLoss).filter(loss -> !Double.isNaN(loss)).average();
  }

  private static double[] means(double[][] all) {
    int longest = Arrays.stream(all).mapToInt(losses -> losses.length).max().orElse(0);
    return IntStream.range(0, longest)
        .mapToDouble(
            epoch ->
                Arrays.stream(all)
                    .filter(losses -> epoch < losses.length)
                    .mapToDouble(losses -> losses[epoch])
                    .average()
                    .orElseThrow())
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
