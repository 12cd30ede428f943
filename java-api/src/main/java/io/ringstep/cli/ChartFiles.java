package io.ringstep.cli;

import io.ringstep.chart.Chart;
import io.ringstep.chart.ChartWriter;
import io.ringstep.chart.ChartWriter.Format;
import io.ringstep.chart.Report;
import io.ringstep.internal.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/** Writes what {@code --plot} and {@code --report} name, whole or not at all. */
final class ChartFiles {
  private ChartFiles() {}

  /** Everything that can be refused before the work: no module that draws, no such format, no such folder. */
  static void requireWritable(Path plot, Path report) {
    if (plot != null) {
      Checks.require(format(plot) != null, "--plot " + plot + ": name a file that ends in .svg or .png");
      writer("--plot");
      OutputFiles.requireWritable(plot);
    }
    if (report != null) {
      writer("--report");
      OutputFiles.requireWritable(report);
    }
  }

  static void write(Chart chart, Path file) throws IOException {
    AtomicFile.write(file, out -> writer("--plot").write(chart, format(file), out));
  }

  static void write(Report report, Path file) throws IOException {
    AtomicFile.write(file, out -> writer("--report").write(report, out));
  }

  private static ChartWriter writer(String option) {
    return ChartWriter.find()
        .orElseThrow(
            () ->
                new UsageException(
                    option + " needs the module ringstep-plots; put its jars on the class path, or use ./ringstep"));
  }

  private static Format format(Path file) {
    String name = file.toString().toLowerCase(Locale.ROOT);
    return name.endsWith(".svg") ? Format.SVG : name.endsWith(".png") ? Format.PNG : null;
  }
}
