package io.ringstep;

import io.ringstep.engine.Engine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/**
 * What {@link Exchange#average} and a fit's decisions between epochs come to, step by step: trainers of plain SGD that take
 * their steps one at a time, and arithmetic written out here.
 */
final class LocalSgd implements AutoCloseable {
  private final Rows rows;
  private final Dataset validation;
  private final Fit fit;
  private final long every;
  private final double[] rates;
  private final long[] orders;
  private final Trainer[] models;
  private final float[][] averages;
  private final Trainer judge;
  private long steps;
  private int averaged;

  private double bestLoss = Double.POSITIVE_INFINITY;
  private float[] best;
  private double lossToBeat = Double.POSITIVE_INFINITY;
  private int epochsWithoutGain;
  private double plateauBest = Double.POSITIVE_INFINITY;
  private int plateauEpochs;

  final List<Double> validationLosses = new ArrayList<>();
  int bestEpoch;
  boolean stoppedEarly;

  /** What all models end with. */
  float[] learned;

  /**
   * @param validation may be null
   * @param every steps between two exchanges
   * @param seed of model 0's parameters; model k has {@code seed + k}
   * @param rates each model's learning rate
   * @param orders each model's seed of the order of its rows
   */
  LocalSgd(Network network, Rows rows, Dataset validation, Fit fit, long every, long seed, double[] rates, long[] orders) {
    this.rows = rows;
    this.validation = validation;
    this.fit = fit;
    this.every = every;
    this.rates = rates.clone();
    this.orders = orders;
    models = new Trainer[rates.length];
    averages = new float[rates.length][];
    Arrays.setAll(
        models, k -> Trainer.builder(network).seed(seed + k).optimizer(new Sgd(rates[k])).device(Device.cpu(1)).build());
    judge = Trainer.builder(network).device(Device.cpu(1)).build();
  }

  LocalSgd run() {
    for (int epoch = 0; epoch < fit.epochs() && !stoppedEarly; epoch++) {
      double loss = train(epoch);
      learned = mean(k -> averages[k] == null ? models[k].parameters() : averages[k]);
      if (validation != null) {
        judge.setParameters(learned);
        loss = judge.evaluate(validation);
        validationLosses.add(loss);
      }
      if (fit.patience() > 0) {
        watchGain(loss, epoch + 1);
      }
      if (fit.schedule().kind() == Schedule.Kind.PLATEAU) {
        watchPlateau(loss);
      }
    }
    learned = best == null ? learned : best;
    return this;
  }

  /** One epoch of every model; the mean of their losses. */
  private double train(int epoch) {
    int count = rows.count();
    double sum = 0;
    for (int first = 0, end; first < count; first = end) {
      end = (int) Math.min(count, first + fit.batch());
      for (int k = 0; k < models.length; k++) {
        sum += step(k, epoch, first, end) * (end - first);
      }
      steps++;
      if (fit.average() == Fit.Average.EMA) {
        addToAverages((float) (1 - fit.decay()));
      }
      if (end == count && fit.average() == Fit.Average.SWA && epoch >= fit.averageStart()) {
        addToAverages((float) (1 / (averaged + 1.0)));
      }
      if (steps % every == 0 || end == count && epoch + 1 == fit.epochs()) {
        float[] mean = mean(k -> models[k].parameters());
        Arrays.stream(models).forEach(model -> model.setParameters(mean));
      }
    }
    return sum / count / models.length;
  }

  /** On the rows at positions [first, end) of the model's own order; its loss. */
  private double step(int k, int epoch, int first, int end) {
    long[] order = new long[rows.count()];
    Engine.rs_shuffle_order(orders[k], epoch, order.length, order);
    Rows own = rows.pick(Arrays.stream(order, first, end).mapToInt(Math::toIntExact).toArray());
    models[k].step(own.x(), own.y());
    return models[k].loss();
  }

  private void addToAverages(float share) {
    for (int k = 0; k < models.length; k++) {
      float[] own = models[k].parameters();
      for (int i = 0; averages[k] != null && i < own.length; i++) {
        averages[k][i] += share * (own[i] - averages[k][i]);
      }
      averages[k] = averages[k] == null ? own : averages[k];
    }
    averaged++;
  }

  private void watchGain(double loss, int epoch) {
    if (loss < bestLoss) {
      bestLoss = loss;
      bestEpoch = epoch;
      best = learned;
    }
    boolean gained = loss < lossToBeat - fit.minDelta();
    lossToBeat = gained ? loss : lossToBeat;
    epochsWithoutGain = gained ? 0 : epochsWithoutGain + 1;
    stoppedEarly = epochsWithoutGain == fit.patience();
  }

  private void watchPlateau(double loss) {
    boolean gained = loss < 0.9999 * plateauBest;
    plateauBest = gained ? loss : plateauBest;
    plateauEpochs = gained ? 0 : plateauEpochs + 1;
    if (plateauEpochs > fit.schedule().patience()) {
      plateauEpochs = 0;
      for (int k = 0; k < models.length; k++) {
        rates[k] = Math.max(rates[k] * fit.schedule().factor(), fit.schedule().minLearningRate());
        models[k].setLearningRate(rates[k]);
      }
    }
  }

  private float[] mean(IntFunction<float[]> vectors) {
    double[] sum = new double[models[0].parameters().length];
    for (int k = 0; k < models.length; k++) {
      float[] own = vectors.apply(k);
      for (int i = 0; i < sum.length; i++) {
        sum[i] += own[i];
      }
    }
    float[] mean = new float[sum.length];
    for (int i = 0; i < sum.length; i++) {
      mean[i] = (float) (sum[i] / models.length);
    }
    return mean;
  }

  @Override
  public void close() {
    Arrays.stream(models).forEach(Trainer::close);
    judge.close();
  }
}
