package io.ringstep.chart;

import java.util.List;
import java.util.Objects;

/**
 * A chart of one or several series over two axes. Immutable.
 *
 * @param title above the chart
 * @param x the axis across
 * @param y the axis up
 * @param series at least one, with at least one point between them
 */
public record Chart(String title, Axis x, Axis y, List<Series> series) {
  /** Checks and copies. */
  public Chart {
    Objects.requireNonNull(title, "title");
    series = List.copyOf(series);
    if (series.stream().allMatch(one -> one.x().length == 0)) {
      throw new IllegalArgumentException("chart '" + title + "' has nothing to show");
    }
  }

  /**
   * An axis.
   *
   * @param label its name, with the unit
   * @param logarithmic whether equal ratios are equally far apart; needs values above 0
   */
  public record Axis(String label, boolean logarithmic) {
    /** An axis on which equal differences are equally far apart. */
    public static Axis linear(String label) {
      return new Axis(label, false);
    }

    /** An axis on which equal ratios are equally far apart. */
    public static Axis logarithmic(String label) {
      return new Axis(label, true);
    }
  }

  /** How a series is drawn. */
  public enum Style {
    /** Neighbouring points joined. */
    LINE,
    /** A mark at each point. */
    POINTS
  }

  /**
   * A series of points; those with a coordinate that is not finite are left out.
   *
   * @param name in the legend
   * @param x as many as y
   */
  public record Series(String name, Style style, double[] x, double[] y) {
    /** Checks and copies. */
    public Series {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(style, "style");
      if (x.length != y.length) {
        throw new IllegalArgumentException(
            "series '" + name + "' has " + x.length + " x and " + y.length + " y");
      }
      x = x.clone();
      y = y.clone();
    }

    /** A line through (first, y[0]), (first + 1, y[1]), … */
    public static Series line(String name, int first, double[] y) {
      double[] x = new double[y.length];
      for (int i = 0; i < x.length; i++) {
        x[i] = first + i;
      }
      return new Series(name, Style.LINE, x, y);
    }

    @Override
    public double[] x() {
      return x.clone();
    }

    @Override
    public double[] y() {
      return y.clone();
    }
  }
}
