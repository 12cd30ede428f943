package io.ringstep.plots;

import static j2html.TagCreator.body;
import static j2html.TagCreator.each;
import static j2html.TagCreator.figure;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.head;
import static j2html.TagCreator.html;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.style;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.title;
import static j2html.TagCreator.tr;

import io.ringstep.chart.Chart;
import io.ringstep.chart.ChartWriter;
import io.ringstep.chart.ChartWriter.Format;
import io.ringstep.chart.Report;
import j2html.tags.DomContent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A report as one HTML page: no script, no other file. */
final class HtmlReport {
  private static final String STYLE =
      "body{font:15px/1.5 sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#222}"
          + "table{border-collapse:collapse;margin:1em 0}"
          + "th,td{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}"
          + "figure{margin:1.5em 0}svg{max-width:100%;height:auto}";

  private final ChartWriter charts;

  HtmlReport(ChartWriter charts) {
    this.charts = charts;
  }

  void write(Report report, OutputStream out) throws IOException {
    List<DomContent> figures = new ArrayList<>();
    for (Chart chart : report.charts()) {
      figures.add(figure(rawHtml(svg(chart))));
    }
    String page =
        "<!DOCTYPE html>\n"
            + html(
                    head(
                        meta().withCharset("utf-8"),
                        meta().withName("viewport").withContent("width=device-width"),
                        title(report.title()),
                        style(rawHtml(STYLE))),
                    body(
                        h1(report.title()),
                        table(
                            tbody(
                                each(
                                    report.facts().entrySet(),
                                    fact -> tr(th(fact.getKey()), td(fact.getValue()))))),
                        each(report.tables(), HtmlReport::section),
                        each(figures, content -> content)))
                .withLang("en")
                .render()
            + "\n";
    out.write(page.getBytes(StandardCharsets.UTF_8));
  }

  private static DomContent section(Report.Table content) {
    return j2html.TagCreator.section(
        h2(content.title()),
        table(
            thead(tr(each(content.header(), cell -> th(cell)))),
            tbody(each(content.rows(), row -> tr(each(row, cell -> td(cell)))))));
  }

  /** Without what stands before the element: within HTML there is one document type. */
  private String svg(Chart chart) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    charts.write(chart, Format.SVG, bytes);
    String text = bytes.toString(StandardCharsets.UTF_8);
    return text.substring(text.indexOf("<svg"));
  }
}
