package io.ringstep;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Shifts and scales every column to mean 0 and standard deviation 1: x' = (x − mean) / scale. A
 * column that never changes is only shifted. Immutable.
 */
public final class Standardizer {
  private final double[] xMean;
  private final double[] xScale;
  private final double[] yMean;
  private final double[] yScale;

  /**
   * @param xMean mean of each input
   * @param xScale what each input is divided by; finite, above 0
   * @param yMean mean of each target
   * @param yScale what each target is divided by; finite, above 0
   */
  public Standardizer(double[] xMean, double[] xScale, double[] yMean, double[] yScale) {
    this.xMean = requireFinite("x mean", xMean, xMean.length, false);
    this.xScale = requireFinite("x scale", xScale, xMean.length, true);
    this.yMean = requireFinite("y mean", yMean, yMean.length, false);
    this.yScale = requireFinite("y scale", yScale, yMean.length, true);
  }

  /** Means and population standard deviations of the rows of {@code data}. */
  public static Standardizer of(Dataset data) {
    return data.read((x, y) -> of(x, data.inputs(), y, data.outputs()));
  }

  /** Means and population standard deviations of the rows of x and y, from their beginnings to their limits. */
  static Standardizer of(FloatBuffer x, int inputs, FloatBuffer y, int outputs) {
    Moments ofX = Moments.of(x, inputs);
    Moments ofY = Moments.of(y, outputs);
    return new Standardizer(ofX.mean, ofX.scale, ofY.mean, ofY.scale);
  }

  /** The same for the inputs alone: targets stay as they are, as those of classifiers must. */
  public static Standardizer ofInputs(Dataset data) {
    Standardizer all = of(data);
    double[] ones = new double[data.outputs()];
    Arrays.fill(ones, 1);
    return new Standardizer(all.xMean, all.xScale, new double[data.outputs()], ones);
  }

  /** Mean of each input. */
  public double[] xMean() {
    return xMean.clone();
  }

  /** What each input is divided by. */
  public double[] xScale() {
    return xScale.clone();
  }

  /** Mean of each target. */
  public double[] yMean() {
    return yMean.clone();
  }

  /** What each target is divided by. */
  public double[] yScale() {
    return yScale.clone();
  }

  /** Rows of inputs, standardized in place. */
  void standardizeInputs(FloatBuffer x) {
    standardize(x, xMean, xScale);
  }

  /** Rows of targets, standardized in place. */
  void standardizeTargets(FloatBuffer y) {
    standardize(y, yMean, yScale);
  }

  /** Rows of predictions, in place from standardized to the targets' own units. */
  void restoreTargets(FloatBuffer y) {
    for (int i = y.position(); i < y.limit(); i++) {
      int column = (i - y.position()) % yMean.length;
      y.put(i, (float) (y.get(i) * yScale[column] + yMean[column]));
    }
  }

  private static void standardize(FloatBuffer rows, double[] mean, double[] scale) {
    for (int i = rows.position(); i < rows.limit(); i++) {
      int column = (i - rows.position()) % mean.length;
      rows.put(i, (float) ((rows.get(i) - mean[column]) / scale[column]));
    }
  }

  private static double[] requireFinite(String what, double[] values, int length, boolean positive) {
    if (values.length != length) {
      throw new IllegalArgumentException(
          what + " has " + values.length + " values where " + length + " are needed");
    }
    for (double value : values) {
      if (!Double.isFinite(value) || positive && value <= 0) {
        throw new IllegalArgumentException(
            what + " must be finite" + (positive ? " and above 0" : "") + ", but holds " + value);
      }
    }
    return values.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Standardizer s
        && Arrays.equals(xMean, s.xMean)
        && Arrays.equals(xScale, s.xScale)
        && Arrays.equals(yMean, s.yMean)
        && Arrays.equals(yScale, s.yScale);
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(new Object[] {xMean, xScale, yMean, yScale});
  }

  /** Mean and deviation of each column, in two passes. */
  private record Moments(double[] mean, double[] scale) {
    static Moments of(FloatBuffer rows, int columns) {
      double[] mean = new double[columns];
      double[] scale = new double[columns];
      long count = rows.limit() / columns;
      for (int i = 0; i < rows.limit(); i++) {
        mean[i % columns] += rows.get(i) / (double) count;
      }
      boolean[] varies = new boolean[columns];
      for (int i = 0; i < rows.limit(); i++) {
        int c = i % columns;
        double distance = rows.get(i) - mean[c];
        scale[c] += distance * distance / count;
        varies[c] |= rows.get(i) != rows.get(c);
      }
      Arrays.setAll(scale, c -> varies[c] ? Math.sqrt(scale[c]) : 1);
      return new Moments(mean, scale);
    }
  }
}
