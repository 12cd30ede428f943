package io.ringstep.plots;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.chart.Chart;
import io.ringstep.chart.ChartWriter;
import io.ringstep.chart.ChartWriter.Format;
import io.ringstep.chart.Report;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;

class XChartWriterTest {
  private static final Chart CHART =
      new Chart(
          "Loss <of> & run",
          Chart.Axis.linear("epoch"),
          Chart.Axis.logarithmic("mean squared error"),
          List.of(
              Chart.Series.line("training", 1, new double[] {10, 5, 2, 1}),
              new Chart.Series(
                  "validation", Chart.Style.POINTS, new double[] {1, 2, 3, 4}, new double[] {12, Double.NaN, 0, 3})));

  private static byte[] write(Chart chart, Format format) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ChartWriter.find().orElseThrow().write(chart, format, out);
    return out.toByteArray();
  }

  @Test
  void isFound() {
    assertEquals(XChartWriter.class, ChartWriter.find().orElseThrow().getClass());
  }

  /** Words are drawn as outlines, so that they look the same on machines without the font. */
  @Test
  void svgIsXmlInBothColours() throws Exception {
    Document svg = parse(write(CHART, Format.SVG));
    assertEquals("svg", svg.getDocumentElement().getTagName());
    String text = new String(write(CHART, Format.SVG), StandardCharsets.UTF_8).toLowerCase(Locale.ROOT);
    assertTrue(text.contains("#0072b2") || text.contains("rgb(0,114,178)"), "the first series");
    assertTrue(text.contains("#d55e00") || text.contains("rgb(213,94,0)"), "the second series");
  }

  @Test
  void pngIsAPictureOfBothColours() throws IOException {
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(write(CHART, Format.PNG)));
    assertEquals(800, image.getWidth());
    boolean line = false;
    boolean points = false;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        line |= (image.getRGB(x, y) & 0xffffff) == 0x0072B2;
        points |= (image.getRGB(x, y) & 0xffffff) == 0xD55E00;
      }
    }
    assertTrue(line && points);
  }

  @Test
  void reportIsOnePageAndEscapes() throws IOException {
    Report report =
        new Report(
            "Run",
            Map.of("data", "<script>alert(1)</script>"),
            List.of(new Report.Table("Models", List.of("lr", "loss"), List.of(List.of("0.1", "2 < 3")))),
            List.of(CHART));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ChartWriter.find().orElseThrow().write(report, out);
    String page = out.toString(StandardCharsets.UTF_8);
    assertTrue(page.contains("&lt;script&gt;") && page.contains("2 &lt; 3") && page.contains("<svg"), page);
    assertFalse(page.contains("<script"), "no script");
    assertFalse(page.matches("(?s).*(src|href)=\"(?!#|data:).*"), "no other file");
  }

  private static Document parse(byte[] xml) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
    return factory.newDocumentBuilder().parse(new ByteArrayInputStream(xml));
  }
}
