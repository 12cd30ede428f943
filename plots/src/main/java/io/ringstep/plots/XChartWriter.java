package io.ringstep.plots;

import io.ringstep.chart.Chart;
import io.ringstep.chart.ChartWriter;
import io.ringstep.chart.Report;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.util.stream.IntStream;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.VectorGraphicsEncoder.VectorGraphicsFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.lines.SeriesLines;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws with XChart. */
public final class XChartWriter implements ChartWriter {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 500;
  private static final float LINE_WIDTH = 1.6f;

  /** Told apart by people who do not see all colours: Okabe and Ito, "Color universal design", 2008. */
  private static final Color[] COLORS = {
    new Color(0x0072B2), new Color(0xD55E00), new Color(0x009E73), new Color(0xCC79A7),
    new Color(0xE69F00), new Color(0x56B4E9), new Color(0x000000),
  };

  static {
    // Nothing here opens a window, and a server has no display.
    if (System.getProperty("java.awt.headless") == null) {
      System.setProperty("java.awt.headless", "true");
    }
  }

  /** For {@link java.util.ServiceLoader}. */
  public XChartWriter() {}

  @Override
  public void write(Chart chart, Format format, OutputStream out) throws IOException {
    XYChart drawing = draw(chart);
    switch (format) {
      case SVG -> VectorGraphicsEncoder.saveVectorGraphic(drawing, out, VectorGraphicsFormat.SVG);
      case PNG -> BitmapEncoder.saveBitmap(drawing, out, BitmapFormat.PNG);
    }
  }

  @Override
  public void write(Report report, OutputStream out) throws IOException {
    new HtmlReport(this).write(report, out);
  }

  private static XYChart draw(Chart chart) {
    XYChart drawing =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(chart.title())
            .xAxisTitle(chart.x().label())
            .yAxisTitle(chart.y().label())
            .build();
    style(drawing.getStyler(), chart);
    for (int i = 0; i < chart.series().size(); i++) {
      add(drawing, chart, i);
    }
    return drawing;
  }

  private static void style(XYStyler styler, Chart chart) {
    styler.setXAxisLogarithmic(chart.x().logarithmic());
    styler.setYAxisLogarithmic(chart.y().logarithmic());
    styler.setLegendVisible(chart.series().size() > 1);
    styler.setLegendPosition(LegendPosition.InsideNE);
    styler.setLegendBorderColor(Color.LIGHT_GRAY);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setMarkerSize(5);
  }

  private static void add(XYChart drawing, Chart chart, int index) {
    Chart.Series series = chart.series().get(index);
    double[] x = series.x();
    double[] y = series.y();
    int[] shown =
        IntStream.range(0, x.length)
            .filter(i -> isShown(x[i], chart.x()) && isShown(y[i], chart.y()))
            .toArray();
    if (shown.length == 0) {
      return;
    }
    XYSeries drawn =
        drawing.addSeries(
            series.name(),
            IntStream.of(shown).mapToDouble(i -> x[i]).toArray(),
            IntStream.of(shown).mapToDouble(i -> y[i]).toArray());
    Color color = COLORS[index % COLORS.length];
    boolean points = series.style() == Chart.Style.POINTS;
    drawn.setLineColor(color);
    drawn.setLineWidth(LINE_WIDTH);
    drawn.setLineStyle(points ? SeriesLines.NONE : SeriesLines.SOLID);
    drawn.setMarkerColor(color);
    drawn.setMarker(points || shown.length == 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
  }

  private static boolean isShown(double value, Chart.Axis axis) {
    return Double.isFinite(value) && (!axis.logarithmic() || value > 0);
  }
}
