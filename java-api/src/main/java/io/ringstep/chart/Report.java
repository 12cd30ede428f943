package io.ringstep.chart;

import java.util.List;
import java.util.Map;

/**
 * What one run did, for a page that people read: facts, tables and charts, in this order.
 *
 * @param title of the page
 * @param facts names and values, in order
 * @param tables after the facts
 * @param charts after the tables
 */
public record Report(String title, Map<String, String> facts, List<Table> tables, List<Chart> charts) {
  /** Copies the lists; the facts keep their order, so they are not copied. */
  public Report {
    tables = List.copyOf(tables);
    charts = List.copyOf(charts);
  }

  /**
   * A table.
   *
   * @param rows each as wide as the header
   */
  public record Table(String title, List<String> header, List<List<String>> rows) {}
}
