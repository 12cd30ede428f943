package io.ringstep.cli;

import io.ringstep.Dataset;
import io.ringstep.Model;
import io.ringstep.Standardizer;
import io.ringstep.Trainer;
import io.ringstep.chart.Chart;
import io.ringstep.chart.Chart.Axis;
import io.ringstep.chart.Chart.Series;
import io.ringstep.chart.Chart.Style;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** The charts of a training run. */
final class TrainingCharts {
  /** More lines than these nobody can tell apart. */
  private static final int MOST_LINES = 7;

  private static final int MOST_POINTS = 2000;

  /** Beyond this ratio the small losses of a curve would lie on the axis. */
  private static final double LOGARITHMIC_FROM = 10;

  private TrainingCharts() {}

  /**
   * The loss of every epoch; of many models the least, the mean and the most. Of the validation rows the mean over the
   * models, where there are any.
   *
   * @param name of the loss
   */
  static Chart losses(TrainingResult result, String name) {
    List<double[]> losses = result.models().stream().map(trained -> trained.fit().losses()).toList();
    List<Series> series = new ArrayList<>();
    if (losses.size() == 1) {
      series.add(Series.line("training", 1, losses.get(0)));
    } else if (losses.size() <= MOST_LINES) {
      for (int k = 0; k < losses.size(); k++) {
        series.add(Series.line("model " + k, 1, losses.get(k)));
      }
    } else {
      series.add(Series.line("most", 1, overModels(losses, epoch -> epoch.max().orElseThrow())));
      series.add(Series.line("mean", 1, result.losses()));
      series.add(Series.line("least", 1, overModels(losses, epoch -> epoch.min().orElseThrow())));
    }
    double[] validation = result.validationLosses();
    if (validation.length > 0) {
      series.add(Series.line(losses.size() == 1 ? "validation" : "validation, mean", 1, validation));
    }
    return new Chart("Loss as it was trained", Axis.linear("epoch"), axis(name, series), series);
  }

  /** Of every epoch that some model came to. */
  private static double[] overModels(List<double[]> losses, ToDoubleFunction<DoubleStream> value) {
    int longest = losses.stream().mapToInt(curve -> curve.length).max().orElseThrow();
    return IntStream.range(0, longest)
        .mapToDouble(
            epoch ->
                value.applyAsDouble(
                    losses.stream().filter(curve -> epoch < curve.length).mapToDouble(curve -> curve[epoch])))
        .toArray();
  }

  /** Logarithmic where the curves span orders of magnitude. */
  static Axis axis(String label, List<Series> series) {
    double[] values =
        series.stream().flatMapToDouble(one -> Arrays.stream(one.y())).filter(Double::isFinite).toArray();
    double least = Arrays.stream(values).min().orElse(1);
    double most = Arrays.stream(values).max().orElse(1);
    return new Axis(label, least > 0 && most / least > LOGARITHMIC_FROM);
  }

  /** What the model says of the rows against what they say, in the targets' own units; at most 2,000 rows. */
  static Chart predictions(Model model, Dataset rows) {
    float[] truth = rows.y();
    float[] answers = answers(model, rows);
    int outputs = rows.outputs();
    int step = (int) Math.max(1, rows.rows() / MOST_POINTS);
    List<Series> series = new ArrayList<>();
    for (int output = 0; output < Math.min(outputs, MOST_LINES - 1); output++) {
      String name = rows.targetNames().isEmpty() ? "y" + (output + 1) : rows.targetNames().get(output);
      DoubleUnaryOperator unit = restored(rows.standardizer(), output);
      double[] across = every(step, output, outputs, truth).map(unit).toArray();
      double[] up = every(step, output, outputs, answers).map(unit).toArray();
      series.add(new Series(name, Style.POINTS, across, up));
    }
    double[] ends = ends(series);
    series.add(new Series("prediction = truth", Style.LINE, ends, ends));
    return new Chart("Predictions against truth", Axis.linear("truth"), Axis.linear("prediction"), series);
  }

  private static float[] answers(Model model, Dataset rows) {
    try (Trainer trainer = Trainer.builder(model).build()) {
      return trainer.predict(rows.x());
    }
  }

  private static DoubleStream every(int step, int column, int columns, float[] values) {
    return IntStream.iterate(column, i -> i < values.length, i -> i + step * columns).mapToDouble(i -> values[i]);
  }

  /** From a standardized target to its own unit. */
  private static DoubleUnaryOperator restored(Optional<Standardizer> standardizer, int output) {
    double scale = standardizer.map(s -> s.yScale()[output]).orElse(1.0);
    double mean = standardizer.map(s -> s.yMean()[output]).orElse(0.0);
    return y -> y * scale + mean;
  }

  private static double[] ends(List<Series> series) {
    double[] all = series.stream().flatMapToDouble(one -> Arrays.stream(one.x())).toArray();
    return new double[] {Arrays.stream(all).min().orElseThrow(), Arrays.stream(all).max().orElseThrow()};
  }
}
